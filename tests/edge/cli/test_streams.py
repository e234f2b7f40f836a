"""Streams that are closed or full, paths that are no UTF-8: one line and exit 2, or it runs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from run_parts import but_modes

from roadmask.errors import ConfigError
from roadmask.system.command_line import entry_point, run_command

ROADMASK = f"{sys.executable} -m roadmask"
TOWN = "'synthetic:town?width=160&height=96&realtime=0'"
ODD = os.fsdecode(b"odd\xff")


def shell(script: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-c", script, "bash", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=120,
        errors="replace",
    )


def test_the_daemon_starts_with_every_stream_closed(tmp_path: Path) -> None:
    times = tmp_path / "times.npy"
    run = f'{ROADMASK} run --source {TOWN} --socket "$1" --frames 3 --times "$2"'
    done = shell(f"{run} <&- >&- 2>&-", tmp_path / "m.sock", times)
    assert done.returncode == 0 and times.stat().st_size > 0


@pytest.mark.parametrize("streams", ["<&- >&- 2>&-", "2>/dev/full", ">&-", "2>&-"])
def test_an_error_is_exit_2_whatever_the_streams(streams: str, tmp_path: Path) -> None:
    done = shell(f'{ROADMASK} run --source "$1" {streams}', tmp_path / "no.avi")
    assert done.returncode == 2
    assert done.stderr.count("\n") == (0 if "2>" in streams else 1), done.stderr


def test_paths_that_are_no_utf8(tmp_path: Path) -> None:
    folder = tmp_path / ODD
    folder.mkdir()
    missing = shell(f'{ROADMASK} run --source "$1/no.avi" --socket "$1/s"', folder)
    assert missing.returncode == 2 and missing.stderr.count("\n") == 1
    done = shell(
        f'{ROADMASK} run --source {TOWN} --socket "$1/s" --frames 3 --log-level error', folder
    )
    assert (done.returncode, but_modes(done.stderr)) == (0, [])


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_full_standard_output_is_one_line(unbuffered: str) -> None:
    program = (
        "import sys; from roadmask.system.command_line import *;"
        "sys.exit(entry_point(lambda _=None: run_command(lambda: print('x') or 0, verbose=0))())"
    )
    done = shell(f'PYTHONUNBUFFERED={unbuffered} {sys.executable} -c "$1" >/dev/full', program)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1 and "No space left on device" in done.stderr


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize(
    "command", ["roadmask --help", "roadmask run --help", "roadmask --version", "convert --help"]
)
def test_help_that_nobody_gets_is_one_line(command: str, unbuffered: str) -> None:
    environment = f"PYTHONUNBUFFERED={unbuffered}"
    done = shell(f"{environment} {sys.executable} -m {command} >/dev/full")
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1 and "No space left on device" in done.stderr
    read = shell(f"set -o pipefail; {environment} {sys.executable} -m {command} | head -1")
    assert read.returncode == 0 and read.stdout.strip() and read.stderr == ""


def test_whatever_is_raised_is_one_line_and_exit_2(capsys: pytest.CaptureFixture[str]) -> None:
    raised = [
        ConfigError("--x 1: expected 2"),
        FileNotFoundError(2, "No such file or directory", "/no/file"),
        ZeroDivisionError("division by zero\nsecond line"),
        UnicodeEncodeError("utf-8", ODD, 3, 4, "surrogates not allowed"),
        MemoryError(),
    ]
    for error in raised:

        def fail(error: Exception = error) -> int:
            raise error

        assert run_command(fail, verbose=False) == 2
        line = capsys.readouterr().err
        assert line.startswith("roadmask: ") and line.count("\n") == 1


def test_arguments_that_are_refused_stay_exit_2(capsys: pytest.CaptureFixture[str]) -> None:
    @entry_point
    def main(arguments: list[str] | None = None) -> int:
        raise SystemExit(2)

    with pytest.raises(SystemExit):
        main()
