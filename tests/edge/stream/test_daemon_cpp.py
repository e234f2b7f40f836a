"""The real daemon with the C++ example as its reader: two programs, two languages, one stream."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from pathlib import Path

from cpp_parts import program
from stream_parts import PATIENCE_S, wait_for


def test_the_cpp_example_reads_the_daemon(tmp_path: Path, shipped_model: Path) -> None:
    socket = tmp_path / "masks.sock"
    run = [sys.executable, "-m", "roadmask", "run", "--source", "synthetic:town?seed=1"]
    programs = [
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for command in (
            [*run, "--model", str(shipped_model), "--socket", str(socket)],
            [program("subscribe"), str(socket), "5", "--allow-not-live"],
        )
    ]
    daemon, reader = programs
    try:
        ended = wait_for(lambda: [p for p in programs if p.poll() is not None], "five masks read")
        assert daemon not in ended, daemon.communicate()[1]
        printed, _ = reader.communicate()
        daemon.send_signal(signal.SIGINT)
        _, errors = daemon.communicate(timeout=PATIENCE_S)
    finally:
        for running in programs:
            running.kill()
            running.communicate()
    assert reader.returncode == 0 and "Traceback" not in errors
    masks = [line for line in printed.splitlines() if line.startswith("mask")]
    mode = r"(OK|DEGRADED [A-Z_|]+)"  # a busy machine's rate is low
    pattern = rf"mask (\d+) {mode} age (\d+\.\d) ms, free (\d+\.\d\d) m(, carefully)?"
    found = [re.fullmatch(pattern, line) for line in masks]
    assert len(found) == 5 and all(found)
    assert not socket.exists()
