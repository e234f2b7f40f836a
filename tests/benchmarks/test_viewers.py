from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from benchmarks.viewers import Seen, _table, measure

pytest.importorskip("fastapi")
pytest.importorskip("websockets")
_SMALL = "synthetic:town?seed=1&width=160&height=96&prerender=4"


def _descendants(pid: int) -> set[int]:
    parents = {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = entry.read_text().rsplit(")", 1)[1].split()
        except OSError:  # it has just ended
            continue
        if fields[0] != "Z":
            parents[int(entry.parent.name)] = int(fields[1])
    found: set[int] = set()
    while more := {p for p, parent in parents.items() if parent in found | {pid}} - found:
        found |= more
    return found


def test_nobody_looking_has_no_rate() -> None:
    seen = Seen(seconds=2.0, latency_ms=[5.0], infer_ms=[4.0], viewer_frames=60)
    assert seen.result(0)["viewer_fps"] is None and seen.result(3)["viewer_fps"] == 10


@pytest.mark.slow
def test_viewers_see_no_more_frames_than_the_camera_gave() -> None:
    result = measure(viewers=2, seconds=1.0, rounds=2, fps=20.0, source=_SMALL)
    alone, seen = result["results"]
    assert alone["viewers"] == 0 and alone["fps"] > 0
    assert 0 < seen["viewer_fps"] <= seen["fps"]
    assert _table(result).count("\n") >= 2


@pytest.mark.slow
def test_sigterm_leaves_nobody_behind() -> None:
    command = [sys.executable, "-m", "benchmarks.viewers", "--viewers", "1", "--seconds", "60"]
    places = [str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(p for p in places if p)}
    with subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL) as process:
        try:
            deadline = time.monotonic() + 120
            # Daemon and server: the first round has no viewer.
            while len(children := _descendants(process.pid)) < 2:
                assert process.poll() is None and time.monotonic() < deadline
                time.sleep(0.1)
            process.send_signal(signal.SIGTERM)
            assert process.wait(60) == 130
            assert not {pid for pid in children if Path(f"/proc/{pid}").exists()}
        finally:
            process.kill()
