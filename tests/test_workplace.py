"""What makes packages leaves neither files nor processes, however it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

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
    state = Path(f"/proc/{compiler}/stat")
    assert not state.exists() or state.read_text().rpartition(")")[2].split()[0] == "Z"


def test_one_that_fails_says_so(tmp_path: Path) -> None:
    with workplace("roadmask-test-") as folder, pytest.raises(subprocess.CalledProcessError):
        run(["false"], folder)
    assert not folder.exists()
