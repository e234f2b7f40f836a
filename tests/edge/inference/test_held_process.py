"""A network's process that a driver holds in the kernel, where no signal ends it.

A frozen control group does the same to a process: it sleeps, and dies once it is let go.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from stream_parts import wait_for

from roadmask.inference.engine import EngineLostError
from roadmask.inference.engine_order import EngineOrder
from roadmask.inference.engine_process import ProcessEngine
from roadmask.inference.worker_process import WorkerProcess

FREEZER = Path("/sys/fs/cgroup/freezer")


@pytest.fixture
def freezer() -> Iterator[Path]:
    group = FREEZER / f"roadmask-test-{os.getpid()}"
    try:
        group.mkdir()
    except OSError as error:
        pytest.skip(f"no control group of our own: {error}")
    yield group
    (group / "freezer.state").write_text("THAWED")
    wait_for(lambda: not (group / "cgroup.procs").read_text(), "the end of who was held")
    group.rmdir()


@pytest.mark.timeout(60)
def test_one_that_no_signal_ends_is_left_behind_and_replaced(
    shipped_model: Path, freezer: Path, caplog: pytest.LogCaptureFixture
) -> None:
    stop = threading.Event()
    with ProcessEngine(EngineOrder(str(shipped_model)), max_age_ms=1000) as engine:
        engine.load(stop)
        engine.input[:] = 90
        engine.invoke()
        expected = engine.output.copy()
        held = engine._worker.process
        (freezer / "cgroup.procs").write_text(str(held.pid))
        (freezer / "freezer.state").write_text("FROZEN")
        with pytest.raises(EngineLostError, match="did not answer within"):
            engine.invoke()
        with caplog.at_level(logging.ERROR):
            engine.recover(stop)
        assert f"process {held.pid} does not end" in caplog.text
        assert held.poll() is None
        engine.output[:] = 0
        engine.invoke()
        assert (engine.output == expected).all() and engine.restarts == 1
    (freezer / "freezer.state").write_text("THAWED")
    held.wait(30)


def test_one_that_gets_no_core_to_end_on_is_not_called_held(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """On a busy emulated machine a driver was named, and a restart of the board asked for."""
    with (
        subprocess.Popen([sys.executable, "-c", "while True: pass"]) as busy,
        WorkerProcess() as worker,
    ):
        own, worker.process = worker.process, busy
        with monkeypatch.context() as patch, caplog.at_level(logging.WARNING):
            patch.setattr(busy, "kill", lambda: None)  # it came, and nothing follows yet
            worker.end()
        busy.kill()
        assert own.wait(30) == 0  # its daemon's end of the line is closed
    assert f"process {busy.pid} did not end" in caplog.text
    assert "others have its core" in caplog.text and "driver" not in caplog.text
