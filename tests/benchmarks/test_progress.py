"""One policy: a line into a pipe, JSON lines when asked for, nothing with --quiet."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ACCURACY = ["accuracy", "roadlite-288x224", "--dataset", "town", "--count", "3"]


def run(*options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "benchmarks", *ACCURACY, *options]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)


def test_a_pipe_has_lines_and_no_bars() -> None:
    done = run()
    assert done.returncode == 0 and "mean IoU" in done.stdout
    lines = done.stderr.splitlines()
    assert lines[0] == "accuracy 0/3 frames (0 s)"
    assert "\r" not in done.stderr and "it/s" not in done.stderr


def test_json_lines_tell_each_part() -> None:
    records = [json.loads(line) for line in run("--progress", "json").stderr.splitlines()]
    assert records[0]["total"] == 3 and records[0]["unit"] == "frame"
    assert set(records[0]) == {"title", "done", "total", "unit", "note", "seconds"}


def test_quiet_says_results_alone() -> None:
    done = run("--quiet")
    assert done.stderr == "" and "mean IoU" in done.stdout


def test_a_terminal_has_bars() -> None:
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "benchmarks", *ACCURACY],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=theirs,
    ) as process:
        os.close(theirs)
        shown = b"".join(iter(lambda: read_terminal(ours), b""))
        os.close(ours)
        assert process.wait(120) == 0
    assert b"3/3" in shown


def read_terminal(ours: int) -> bytes:
    """What was shown next, a part of it at a time; nothing when the last who could has closed."""
    try:
        return os.read(ours, 65536)
    except OSError:  # EIO
        return b""


@pytest.mark.slow
def test_a_conversion_says_something_within_its_first_part(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "convert", "train/weights/roadlite.keras", "--size", "288x224"]
    command += ["--out", str(tmp_path / "m.tflite"), "--no-history", "--no-latency"]
    process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    try:
        assert "loading TensorFlow" in process.stderr.readline()
    finally:
        process.terminate()
        process.communicate(timeout=60)
