"""What makes packages leaves neither files nor processes, however it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from packages.workplace import run, workplace

ROOT = Path(__file__).parents[1]
# A build as pip's: a temporary file, and a compiler in a group of its own, as ninja starts it.
BUILD = """
import os, subprocess, sys, tempfile
open(tempfile.mkstemp()[1], "w").close()
child = subprocess.Popen(["sleep", "1000"], preexec_fn=os.setpgrp)
print(child.pid, flush=True)
child.wait()
"""
MAKE = """
import sys
from packages.workplace import run, workplace
with workplace("roadmask-test-") as folder:
    run([sys.executable, "-c", sys.argv[1]], folder)
"""


def state(pid: int) -> str:
    """The letter of ``/proc``; "" for one that is gone, which may be at any moment."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return ""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_one_that_is_told_to_end_leaves_nothing(tmp_path: Path, number: signal.Signals) -> None:
    """``make wheels`` left its folder in /tmp at SIGTERM, and zig at work."""
    making = subprocess.Popen(
        [sys.executable, "-c", MAKE, BUILD],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    with making:
        assert making.stdout is not None
        compiler = int(making.stdout.readline())
        assert len(list(tmp_path.iterdir())) == 1
        making.send_signal(number)
        assert making.wait(60) != 0
    assert list(tmp_path.iterdir()) == []
    assert state(compiler) in ("", "Z")


def test_one_that_fails_says_so(tmp_path: Path) -> None:
    with workplace("roadmask-test-") as folder, pytest.raises(subprocess.CalledProcessError):
        run(["false"], folder)
    assert not folder.exists()


def test_who_is_told_to_end_while_it_starts_a_program_leaves_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The program ran on, and held the terminal: nobody had heard its number yet."""
    started: list[subprocess.Popen[bytes]] = []

    class Told(subprocess.Popen[bytes]):
        def __init__(self, *given: Any, **options: Any) -> None:
            super().__init__(*given, **options)
            started.append(self)
            signal.raise_signal(signal.SIGINT)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with monkeypatch.context() as patch:
            patch.setattr(subprocess, "Popen", Told)
            with pytest.raises(KeyboardInterrupt):
                run(["sleep", "1000"], tmp_path)
    finally:
        signal.signal(signal.SIGINT, before)
    (left,) = started
    try:
        assert left.returncode == -signal.SIGKILL
    finally:
        left.kill()
        left.wait()


def test_wheels_that_are_interrupted_end_with_one_line(tmp_path: Path) -> None:
    """Ctrl-C showed a KeyboardInterrupt's traceback."""
    tools, begun = tmp_path / "bin", tmp_path / "begun"
    tools.mkdir()
    os.mkfifo(begun)
    python = tools / "python3.10"  # says what it is, and as pip's interpreter goes on for ever
    python.write_text(
        "#!/bin/sh\n"
        'case "$*" in\n'
        "    *version_info*) echo 3.10 ;;\n"
        "    *EXT_SUFFIX*) echo .cpython-310-x86_64-linux-gnu.so ;;\n"
        f"    *) echo > {begun}; exec /bin/sleep 1000 ;;\n"
        "esac\n"
    )
    python.chmod(0o755)
    places = {"PATH": str(tools), "PYENV_ROOT": str(tmp_path), "TMPDIR": str(tmp_path)}
    command = [sys.executable, "-m", "packages.wheels", "--python=3.10", "--machine=x86_64"]
    making = subprocess.Popen(
        [*command, f"--out={tmp_path / 'dist'}"],
        cwd=ROOT,
        env={**os.environ, **places},
        stderr=subprocess.PIPE,
        text=True,
    )
    with making:
        begun.read_text()
        making.send_signal(signal.SIGINT)
        _, said = making.communicate(timeout=60)
    assert (making.returncode, said) == (130, "roadmask: interrupted\n")
    assert list(tmp_path.glob("roadmask-wheel-*")) == []


@pytest.mark.parametrize(
    ("body", "code", "said"),
    [
        ('subprocess.run(["false"], check=True)', 2, "roadmask: false ... ended with 1: see above"),
        (
            'subprocess.run(["sh", "-c", "echo no >&2; exit 3"], check=True, capture_output=True, '
            "text=True)",
            2,
            "roadmask: sh -c echo no >&2; exit 3 ... ended with 3: no",
        ),
        ("1", 1, ""),
    ],
)
def test_what_fails_in_it_is_one_line(body: str, code: int, said: str) -> None:
    program = "import subprocess, sys\nfrom packages.workplace import make\n"
    program += f"def body():\n    return {body}\nsys.exit(make(body))\n"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stderr.strip()) == (code, said)
