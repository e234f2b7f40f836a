"""A network in a process of its own: the same bytes out, and its end is not the daemon's."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from delegate_parts import compiled_delegate, damaged_engines
from stream_parts import wait_for

from roadmask.errors import ModelError
from roadmask.inference import engine_process
from roadmask.inference.accelerator import Accelerator
from roadmask.inference.engine import Engine, EngineLostError
from roadmask.inference.engine_order import EngineOrder
from roadmask.inference.engine_process import ProcessEngine
from roadmask.inference.proof import prove
from roadmask.inference.worker_process import WorkerProcess
from roadmask.system.clock import now_ns

LONG_MS = 60_000.0  # no answer of a healthy network is late, however loaded the machine


@pytest.fixture(scope="module")
def delegate(tmp_path_factory: pytest.TempPathFactory) -> str:
    return compiled_delegate(tmp_path_factory.mktemp("delegate"))


@pytest.fixture
def stop() -> threading.Event:
    return threading.Event()


@pytest.fixture
def engine(shipped_model: Path, stop: threading.Event) -> Iterator[ProcessEngine]:
    with ProcessEngine(EngineOrder(str(shipped_model)), LONG_MS) as engine:
        engine.load(stop)
        yield engine


def process_id(engine: ProcessEngine) -> int:
    return engine._worker.process.pid


def test_it_gives_what_an_engine_here_gives(shipped_model: Path, engine: ProcessEngine) -> None:
    here = Engine(shipped_model)
    picture = np.random.default_rng(3).integers(0, 256, here.input.shape, np.uint8)
    for one in (here, engine):
        one.input[:] = picture
        one.invoke()
    np.testing.assert_array_equal(engine.output, here.output)
    assert (engine.name, engine.digest, engine.labels) == (here.name, here.digest, here.labels)
    assert engine.input_size == here.input_size and engine.output_spec == here.output_spec
    assert engine.placement == here.placement
    before_ns = now_ns()
    began_ns, ended_ns = engine.timed()
    assert before_ns <= began_ns < ended_ns <= now_ns()


def test_the_interpreters_own_tensors_are_the_shared_memory(engine: ProcessEngine) -> None:
    maps = Path(f"/proc/{process_id(engine)}/maps").read_text().splitlines()
    # All of it once, and the pages of input and output, which meet, where LiteRT has them.
    assert sum("roadmask-tensors" in line for line in maps) >= 2


def test_a_process_that_was_started_and_never_ordered_anything_ends_with_its_daemon() -> None:
    with WorkerProcess() as worker:
        worker.peer.close()
        assert worker.process.wait(30) == 0


def test_one_that_dies_before_it_is_told_what_to_load_is_replaced(
    shipped_model: Path, stop: threading.Event
) -> None:
    """The daemon ended with exit code 0 and without a word: a broken pipe at its first order."""
    worker = WorkerProcess()
    worker.process.kill()
    worker.process.wait()
    order = EngineOrder(str(shipped_model))
    worker.load(order)
    assert worker.ordered
    with ProcessEngine(order, LONG_MS, worker) as engine:
        with pytest.raises(EngineLostError, match="ended"):
            engine.load(stop)
        engine.recover(stop)
        engine.invoke()
        assert engine.restarts == 1


def test_a_model_that_does_not_load_is_named(tmp_path: Path, stop: threading.Event) -> None:
    with (
        ProcessEngine(EngineOrder(str(tmp_path / "none.tflite"))) as engine,
        pytest.raises(ModelError, match=r"none\.tflite is missing"),
    ):
        engine.load(stop)


def test_after_a_crash_a_fresh_one_goes_on_in_the_same_arrays(
    engine: ProcessEngine, stop: threading.Event
) -> None:
    engine.input[:] = 90
    engine.invoke()
    expected, output = engine.output.copy(), engine.output
    os.kill(process_id(engine), signal.SIGKILL)
    with pytest.raises(EngineLostError, match="the network's process ended"):
        engine.invoke()
    engine.recover(stop)
    engine.output[:] = 0
    engine.invoke()
    assert engine.output is output and engine.restarts == 1
    np.testing.assert_array_equal(output, expected)


def test_a_hang_is_told_and_ended(engine: ProcessEngine, stop: threading.Event) -> None:
    told = threading.Event()
    engine.late = told.set
    engine._patience.late_s = engine._patience.lost_s = 0.05
    os.kill(process_id(engine), signal.SIGSTOP)
    with pytest.raises(EngineLostError, match=r"did not answer within \d+ ms"):
        engine.invoke()
    assert told.is_set()
    engine.recover(stop)
    engine.invoke()


def test_one_that_hangs_while_it_loads_has_no_half_minute(
    engine: ProcessEngine,
    stop: threading.Event,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Two of them in a row, on a busy machine, kept a stream without a mask for a minute."""
    monkeypatch.setattr(engine_process, "_RELOADS_S", 0.2)
    made: list[WorkerProcess] = []

    def the_first_hangs() -> WorkerProcess:
        made.append(WorkerProcess())
        if len(made) == 1:
            os.kill(made[0].process.pid, signal.SIGSTOP)
        return made[-1]

    monkeypatch.setattr(engine_process, "WorkerProcess", the_first_hangs)
    engine.recover(stop)
    assert len(made) == 2 and engine.restarts == 1
    engine.invoke()
    told = re.search(r"did not load within (\d+\.\d) s", caplog.text)
    assert told and float(told[1]) < engine_process._LOAD_S


def test_one_that_is_left_no_core_is_waited_for(engine: ProcessEngine) -> None:
    """On a loaded machine INFERENCE_FAILED was told every few seconds, and nothing had failed."""
    told, core, pid = threading.Event(), max(os.sched_getaffinity(0)), process_id(engine)
    engine.late = told.set
    engine._patience.late_s, engine._patience.lost_s = 0.05, LONG_MS / 1000
    spin = f"import os; os.sched_setaffinity(0, [{core}])\nwhile True: pass"
    os.sched_setaffinity(pid, [core])
    os.setpriority(os.PRIO_PROCESS, pid, 19)
    with ExitStack() as stack:
        for _ in range(4):
            loop = stack.enter_context(subprocess.Popen([sys.executable, "-c", spin]))
            stack.callback(loop.kill)
        took_s = 0.0
        while took_s < 0.1:  # the loops may have to begin
            asked_ns = now_ns()
            engine.invoke()
            took_s = (now_ns() - asked_ns) * 1e-9
    assert not told.is_set()


def test_what_is_late_is_learned_from_the_answers(engine: ProcessEngine) -> None:
    assert engine._patience.late_s == LONG_MS / 1000  # not known yet
    for _ in range(3):
        engine.invoke()
    assert 0.04 <= engine._patience.late_s < LONG_MS / 1000


def test_an_engine_that_nobody_reads_ends_with_its_daemon(engine: ProcessEngine) -> None:
    number = process_id(engine)
    engine._peer.close()
    wait_for(lambda: engine._worker.process.poll() is not None, f"process {number} ends")
    assert engine._worker.process.returncode == 0


@pytest.mark.parametrize("ending", ["crash=1", "hang=1"])
def test_a_delegate_that_is_lost_twice_is_left_for_the_processor(
    shipped_model: Path, delegate: str, stop: threading.Event, ending: str
) -> None:
    # One life is the warm-up's, one the first frame's.
    order = EngineOrder(str(shipped_model), accelerator=Accelerator(delegate, ("lives=2", ending)))
    with ProcessEngine(order, LONG_MS) as engine:
        engine.load(stop)
        for lost in range(2):
            assert engine.placement.latency_class == "libtestdelegate.so"
            engine.invoke()
            if ending == "hang=1":
                engine._patience.late_s = engine._patience.lost_s = 0.1
            with pytest.raises(EngineLostError):
                engine.invoke()
            engine.recover(stop)
            assert engine.restarts == lost + 1
        assert engine.placement.latency_class == "cpu-fallback"
        assert "was lost 2 times" in engine.placement.fallback
        for _ in range(5):
            engine.invoke()


def test_a_fresh_engine_counts_only_when_it_answers_as_certified(
    shipped_model: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    stop: threading.Event,
) -> None:
    """One whose libraries were damaged meanwhile passed as OK."""
    damage = damaged_engines(tmp_path, monkeypatch, "self.output[:] = self.output[::-1].copy()")
    with ProcessEngine(EngineOrder(str(shipped_model)), LONG_MS) as engine:
        engine.load(stop)
        assert prove(engine).verified
        engine.input[:] = 90
        engine.invoke()
        expected, given = engine.output.copy(), engine.direct_input.copy()
        damage.touch()
        os.kill(process_id(engine), signal.SIGKILL)
        with pytest.raises(EngineLostError):
            engine.invoke()
        restarts = []

        def repair() -> None:
            wait_for(lambda: caplog.text.count("are not answered as certified") > 1, "two tries")
            restarts.append(engine.restarts)
            damage.unlink()

        repairer = threading.Thread(target=repair)
        repairer.start()
        engine.recover(stop)
        repairer.join()
        assert restarts == [0] and engine.restarts == 1
        np.testing.assert_array_equal(engine.direct_input, given)  # of the frame that was lost
        engine.invoke()
        np.testing.assert_array_equal(engine.output, expected)


@pytest.mark.parametrize("required", [False, True])
def test_a_delegate_that_answers_nonsense_after_a_restart_is_given_up(
    shipped_model: Path,
    delegate: str,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    stop: threading.Event,
    required: bool,
) -> None:
    spare = tmp_path / "spare"
    accelerator = Accelerator(delegate, (f"spare={spare}",))
    spare.touch()
    with ProcessEngine(EngineOrder(str(shipped_model), accelerator=accelerator), LONG_MS) as engine:
        engine.load(stop)
        assert prove(engine).ran_on == "cpu-fallback"
        spare.unlink()
        engine._order = replace(engine._order, accelerator=replace(accelerator, required=required))
        os.kill(process_id(engine), signal.SIGKILL)
        refused = threading.Thread(
            target=lambda: (
                wait_for(lambda: "not answered as certified" in caplog.text, "a refusal"),
                stop.set() if required else None,
            )
        )
        refused.start()
        engine.recover(stop)
        refused.join()
        assert stop.is_set() or "not answered as certified" in engine.placement.fallback
        assert required or (engine.restarts == 1 and prove(engine).verified)


@pytest.mark.parametrize("wrong", ["", "3 of 3 golden frames are not answered"])
def test_what_takes_an_accelerators_place_is_asked_before_its_first_frame(
    shipped_model: Path, delegate: str, stop: threading.Event, wrong: str
) -> None:
    order = EngineOrder(str(shipped_model), accelerator=Accelerator(delegate, ("lives=1",)))
    with ProcessEngine(order, LONG_MS) as engine:
        engine.load(stop)
        asked: list[str] = []

        def ask() -> str:
            engine.direct_input[:] = 77
            engine.output[:] = 77
            asked.append(engine.placement.latency_class)
            return wrong

        engine.ask_again = ask
        engine.input[:] = 90
        if wrong:
            with pytest.raises(EngineLostError, match="on the processor: 3 of 3 golden frames"):
                engine.invoke()
        else:
            engine.invoke()
            here = Engine(shipped_model)
            here.input[:] = 90
            here.invoke()
            np.testing.assert_array_equal(engine.output, here.output)
            engine.invoke()
        assert asked == ["cpu-fallback"]


def test_recovery_ends_when_it_is_told_to_stop(
    shipped_model: Path, engine: ProcessEngine, stop: threading.Event
) -> None:
    os.kill(process_id(engine), signal.SIGKILL)
    with pytest.raises(EngineLostError):
        engine.invoke()
    stop.set()
    engine.recover(stop)
    assert engine.restarts == 0
