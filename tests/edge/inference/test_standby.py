"""A second process that waits for the first one's end, and is seen when it is no use."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from stream_parts import wait_for

from roadmask.inference.accelerator import Accelerator
from roadmask.inference.engine import EngineLostError
from roadmask.inference.engine_order import EngineOrder
from roadmask.inference.engine_process import ProcessEngine

LONG_MS = 60_000.0  # no answer of a healthy network is late, however loaded the machine


@pytest.fixture
def stop() -> threading.Event:
    return threading.Event()


@pytest.fixture
def engine(shipped_model: Path, stop: threading.Event) -> Iterator[ProcessEngine]:
    with ProcessEngine(EngineOrder(str(shipped_model)), LONG_MS, standby=True) as engine:
        engine.load(stop)
        yield engine


def process_id(engine: ProcessEngine) -> int:
    return engine._worker.process.pid


def standby_of(engine: ProcessEngine) -> subprocess.Popen[bytes] | None:
    standby = engine._standby
    return standby and standby._worker and standby._worker.process


def present(engine: ProcessEngine) -> subprocess.Popen[bytes]:
    process = standby_of(engine)
    assert process is not None
    return process


def loaded(engine: ProcessEngine) -> subprocess.Popen[bytes]:
    """The standby, once it answers; the engine is at work meanwhile."""

    def answers() -> bool:
        engine.invoke()
        standby = engine._standby
        return bool(standby and standby._worker and standby._worker.loaded)

    wait_for(answers, "the standby is loaded")
    return present(engine)


def replaced(engine: ProcessEngine, before: subprocess.Popen[bytes]) -> bool:
    engine.invoke()
    process = standby_of(engine)
    return process is not None and process is not before


def lose(engine: ProcessEngine, stop: threading.Event) -> None:
    os.kill(process_id(engine), signal.SIGKILL)
    with pytest.raises(EngineLostError):
        engine.invoke()
    engine.recover(stop)
    engine.invoke()


def test_it_takes_the_place_of_each_that_is_lost(
    shipped_model: Path, stop: threading.Event
) -> None:
    spares = []
    with ProcessEngine(EngineOrder(str(shipped_model)), LONG_MS, standby=True) as engine:
        engine.load(stop)
        for _ in range(2):
            spares.append(present(engine))
            os.kill(process_id(engine), signal.SIGKILL)
            with pytest.raises(EngineLostError):
                engine.invoke()
            engine.recover(stop)
            assert process_id(engine) == spares[-1].pid
            engine.invoke()
        spares.append(present(engine))
    assert len({spare.pid for spare in spares}) == 3
    assert all(spare.poll() is not None for spare in spares), "none outlives the engine"


def test_an_accelerator_has_no_standby(shipped_model: Path, stop: threading.Event) -> None:
    order = EngineOrder(str(shipped_model), accelerator=Accelerator("libnone.so"))
    with ProcessEngine(order, LONG_MS, standby=True) as engine:
        engine.load(stop)
        assert engine._standby is None


@pytest.mark.parametrize(
    "number, told", [(signal.SIGKILL, "ended, signal 9"), (signal.SIGSTOP, "did not answer within")]
)
def test_one_that_is_no_use_is_replaced_before_it_is_needed(
    engine: ProcessEngine,
    caplog: pytest.LogCaptureFixture,
    stop: threading.Event,
    number: signal.Signals,
    told: str,
) -> None:
    """Nobody noticed before the first engine was lost too."""
    before = loaded(engine)
    os.kill(before.pid, number)
    wait_for(lambda: replaced(engine, before), "a fresh standby")
    assert f"the standby {told}" in caplog.text
    assert before.poll() is not None
    fresh = loaded(engine)
    lose(engine, stop)
    assert process_id(engine) == fresh.pid


def test_one_that_is_gone_when_it_is_needed_costs_nothing(
    engine: ProcessEngine, caplog: pytest.LogCaptureFixture, stop: threading.Event
) -> None:
    gone = present(engine)
    gone.kill()
    gone.wait()
    lose(engine, stop)
    assert process_id(engine) != gone.pid
    assert "the standby ended, signal 9" in caplog.text
    assert "again in" not in caplog.text, "a fresh engine was tried at once"


@pytest.mark.parametrize("ready", [True, False])
def test_one_that_hangs_when_it_is_needed_is_not_waited_for(
    engine: ProcessEngine, caplog: pytest.LogCaptureFixture, stop: threading.Event, ready: bool
) -> None:
    """The stream said FAULT for 30 s, as long as a board's first load may take."""
    hung = loaded(engine) if ready else present(engine)
    os.kill(hung.pid, signal.SIGSTOP)
    lose(engine, stop)
    assert hung.poll() is not None and process_id(engine) != hung.pid
    assert "did not take over within" in caplog.text
    assert "was not loaded within" not in caplog.text


def test_one_that_cannot_load_is_told_and_not_made_again_and_again(
    shipped_model: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture, stop: threading.Event
) -> None:
    model = tmp_path / "network.tflite"
    model.write_bytes(shipped_model.read_bytes())
    with ProcessEngine(EngineOrder(str(model)), LONG_MS, standby=True) as engine:
        engine.load(stop)
        before = loaded(engine)
        model.write_bytes(b"damaged")
        before.kill()

        def tries() -> int:
            engine.invoke()
            return caplog.text.count("the standby failed: ")

        wait_for(lambda: tries() >= 2, "it was made twice more")
        assert str(model) in caplog.text
        assert "a fresh one in 1 s" in caplog.text, "the second pause is longer than none"
