"""A command's work in a child: it ends at any moment, and leaves nothing half-written."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from stream_parts import wait_for

ROOT = Path(__file__).parents[3]
# 7 ** 10**9 hears no signal for hours, as a compiler in C++ does not.
PROGRAM = """
import atexit, os, subprocess, sys, time
from pathlib import Path
from roadmask.system.command_line import run_command
from roadmask.system.files import atomic_path
from roadmask.system.guard import guarded

def deaf():
    with atomic_path(Path(sys.argv[2]) / "result.json") as path:
        path.write_text("half")
        own = subprocess.Popen(["sleep", "1000"])
        print(os.getpid(), own.pid, flush=True)
        return 7 ** 10**9

def slow_to_end():
    # As TensorFlow's threads are: it hears the signal, and its interpreter's end takes long.
    atexit.register(time.sleep, 1000)
    print(os.getpid(), 0, flush=True)
    time.sleep(1000)

BODIES = {
    "deaf": deaf,
    "slow to end": slow_to_end,
    "python": lambda: time.sleep(1000) if not print(os.getpid(), 0, flush=True) else 0,
    "crash": lambda: os.kill(os.getpid(), 11),
    **{str(code): (lambda code=code: code) for code in range(3)},
}

def main():
    return run_command(BODIES[sys.argv[1]], verbose=False)

sys.exit(guarded(main, lambda: "nothing is written"))
"""


def start(body: str, folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, body, str(folder)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"TMPDIR": str(folder)},
    )


def gone(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return True
    return state in "ZX"  # nobody need have waited for it


@pytest.mark.parametrize("code", [0, 1, 2])
def test_the_exit_code_is_the_work_s(code: int, tmp_path: Path) -> None:
    process = start(str(code), tmp_path)
    assert process.communicate(timeout=60) == ("", "")
    assert process.returncode == code and not list(tmp_path.iterdir())


@pytest.mark.parametrize("body", ["deaf", "python", "slow to end"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_work_that_does_not_listen(
    body: str, number: signal.Signals, tmp_path: Path
) -> None:
    process = start(body, tmp_path)
    assert process.stdout is not None
    pids = [int(word) for word in process.stdout.readline().split()]
    process.send_signal(number)
    _, error = process.communicate(timeout=60)
    assert process.returncode == 130
    assert error == "roadmask: interrupted; nothing is written\n"
    wait_for(lambda: all(gone(pid) for pid in pids if pid), "each ends, once it has a core")
    assert not list(tmp_path.iterdir())


def test_a_crash_is_one_line(tmp_path: Path) -> None:
    process = start("crash", tmp_path)
    _, error = process.communicate(timeout=60)
    assert process.returncode == 2
    assert error.count("\n") == 1 and "SIGSEGV" in error


def test_the_work_does_not_outlive_its_guard(tmp_path: Path) -> None:
    process = start("python", tmp_path)
    assert process.stdout is not None
    pid = int(process.stdout.readline().split()[0])
    work = os.pidfd_open(pid)
    try:
        process.kill()
        process.communicate(timeout=60)
        assert select.select([work], [], [], 60)[0]
    finally:
        os.close(work)


@pytest.mark.parametrize("package", ["train", "convert", "benchmarks"])
def test_nothing_heavy_is_loaded_before_it(package: str) -> None:
    """Until the guard is there Ctrl-C is a traceback, and numpy alone took most of a second."""
    script = (
        f"import sys, {package}.__main__; print({{'numpy', 'cv2', 'keras'}} & {{*sys.modules}})"
    )
    ended = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert ended.stdout == "set()\n", ended.stderr
