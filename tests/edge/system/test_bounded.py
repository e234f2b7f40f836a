import os
import subprocess
import sys
from pathlib import Path

import pytest

from roadmask.errors import ConfigError, DataError
from roadmask.system.bounded import open_regular, read_bounded
from roadmask.system.files import read_json
from roadmask.system.toml import read_toml


@pytest.mark.parametrize("endless", ["/dev/zero", "sparse"])
def test_a_file_without_end_is_not_read_to_it(endless: str, tmp_path: Path) -> None:
    path = Path(endless)
    if not path.is_absolute():
        path = tmp_path / endless
        with path.open("wb") as file:
            file.truncate(1 << 40)
    with pytest.raises(OSError, match="more than 1000 bytes"):
        read_bounded(path, 1000)
    with pytest.raises(ConfigError, match="cannot be read: it has more than 1048576 bytes"):
        read_toml(path)
    with pytest.raises(DataError, match="cannot be read: it has more than"):
        read_json(path, "report", "give another")


def test_a_pipe_is_read_to_its_end() -> None:
    ours, theirs = os.pipe()
    os.write(theirs, b"a = 1")
    os.close(theirs)
    assert read_toml(f"/proc/self/fd/{ours}") == {"a": 1}
    os.close(ours)


def test_a_high_bound_takes_no_memory(tmp_path: Path) -> None:
    (tmp_path / "short").write_bytes(b"short")
    code = (
        "import resource, sys\n"
        "from roadmask.system.bounded import read_bounded\n"
        "resource.setrlimit(resource.RLIMIT_AS, (1 << 29, 1 << 29))\n"
        "print(read_bounded(sys.argv[1], 1 << 31), read_bounded('/proc/self/stat', 1 << 31)[:1])\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "short")]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.stdout.startswith("b'short' b'"), run.stderr


def test_a_fifo_that_nobody_writes_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(OSError, match="nobody writes"):
        read_bounded(tmp_path / "fifo", 10)
    for path in (tmp_path / "fifo", Path("/dev/null")):
        with pytest.raises(OSError, match="no regular file"):
            open_regular(path)
    with pytest.raises(IsADirectoryError):
        open_regular(tmp_path)


@pytest.mark.parametrize(
    "command",
    [
        ["run", "--source", "FIFO"],
        ["run", "--source", "synthetic:town", "--model", "FIFO"],
        ["run", "--config", "FIFO"],
        ["config", "check", "FIFO"],
        ["replay", "FIFO", "--socket", "s"],
        ["inspect", "FIFO"],
    ],
)
def test_no_command_waits_for_a_fifo(command: list[str], tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    words = [word.replace("FIFO", str(tmp_path / "fifo")) for word in command]
    run = subprocess.run(
        [sys.executable, "-m", "roadmask", *words],
        capture_output=True,
        text=True,
        timeout=50,
        cwd=tmp_path,
        check=False,
    )
    assert run.returncode == 2
    assert run.stderr.count("\n") == 1 and "fifo" in run.stderr
