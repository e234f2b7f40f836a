"""Held back by heat, the daemon does less by plan, says so, and does it all again."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from stream_parts import wait_for

from roadmask.daemon import board_watch, pipeline, step_down, upkeep
from roadmask.daemon.board_watch import BoardWatch
from roadmask.daemon.config import DaemonConfig
from roadmask.daemon.contradictions import refuse_contradictions
from roadmask.daemon.pipeline import open_pipeline
from roadmask.daemon.step_down import StepDown
from roadmask.errors import ConfigError
from roadmask.stream.modes import Mode, Reason
from roadmask.stream.subscribe.policy import TAKE_EVERYTHING
from roadmask.stream.subscribe.subscriber import Mask, Subscriber
from roadmask.system.board import read_board

S = 1_000_000_000


def test_down_after_ten_seconds_each_and_up_after_thirty() -> None:
    steps = StepDown(DaemonConfig(model="m", step_down="network"), 30)
    levels = []
    for second in range(150):
        steps.look(5 <= second < 60 or 100 <= second < 105, (1 + second) * S)
        levels.append(steps.level)
    assert levels.index(1) == 15 and levels.index(2) == 25
    assert (levels[89], levels[90]) == (2, 1)
    # Five seconds of it at 100 begin the thirty anew.
    assert levels[134] == 1 and levels[135] == 0


def test_what_each_level_leaves() -> None:
    config = DaemonConfig(model="m", step_down="network", max_fps=25)
    steps = StepDown(config, 30)
    assert steps.of(config) is config
    steps.level = 1
    assert (steps.of(config).max_fps, steps.of(config).model) == (12.5, "m")
    steps.level = 2
    assert (steps.of(config).max_fps, steps.of(config).model) == (12.5, "roadlite-288x224")
    named = DaemonConfig(model="m", step_down="network", reduced_model="mine.tflite")
    steps = StepDown(named, 30)
    steps.level = 2
    assert steps.of(named).model == "mine.tflite"


@pytest.mark.parametrize(("fps", "expected"), [(30, 15), (10, 8), (6, 0)])
def test_masks_are_young_at_the_lower_rate_too(fps: float, expected: float) -> None:
    """Of 250 ms, the period takes half at most; a camera that is slower stays as it is."""
    config = DaemonConfig(max_age_ms=250)
    steps = StepDown(config, fps)
    steps.level = 1
    assert steps.of(config).max_fps == expected


def test_neither_off_nor_a_source_without_a_clock_goes_down() -> None:
    for config, fps in ((DaemonConfig(step_down="off"), 30), (DaemonConfig(), 0)):
        steps = StepDown(config, fps)
        assert not any(steps.look(True, second * S) for second in range(1, 100))


@pytest.mark.parametrize("model", ["s", "roadnet-480x352"])
def test_without_a_smaller_network_the_plan_is_refused(model: str) -> None:
    with pytest.raises(ConfigError, match="reduced_model"):
        refuse_contradictions(DaemonConfig(model=model, step_down="network"))
    refuse_contradictions(DaemonConfig(model=model, step_down="network", reduced_model="s"))
    refuse_contradictions(DaemonConfig(model="roadlite-512x384", step_down="network"))


def heat(root: Path, state: int) -> None:
    device = root / "sys/class/thermal/cooling_device0"
    device.mkdir(parents=True, exist_ok=True)
    (device / "type").write_text("cpufreq-cpu0\n")
    (device / "cur_state").write_text(f"{state}\n")


def test_a_hot_board_gets_less_to_do_and_more_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Rate, then the smaller network in the same stream; all of it back."""
    caplog.set_level("INFO")
    monkeypatch.setattr(
        pipeline, "BoardWatch", lambda: BoardWatch(lambda before: read_board(tmp_path, before))
    )
    for module in (board_watch, upkeep):
        monkeypatch.setattr(module, "_LOOK_S", 0.05)
    monkeypatch.setattr(step_down, "_DOWN_NS", S // 5)
    monkeypatch.setattr(step_down, "_UP_NS", S // 5)
    heat(tmp_path, 0)
    config = DaemonConfig(
        source="synthetic:town?seed=1&width=320&height=240&prerender=4&fps=30",
        model="m",
        socket=str(tmp_path / "masks.sock"),
        max_age_ms=60_000,
        budget_ms=60_000,
        step_down="network",
    )
    stop = threading.Event()
    with (
        open_pipeline(config) as daemon,
        Subscriber(config.socket, **TAKE_EVERYTHING) as stream,
    ):
        thread = threading.Thread(target=daemon.run, args=(stop,))
        thread.start()

        def such(width: int, reduced: bool) -> Mask | None:
            mask = stream.receive(timeout_s=0.1)
            if mask is None or mask.size[0] != width:
                return None
            return mask if (Reason.REDUCED in mask.reasons) is reduced else None

        try:
            first = wait_for(lambda: such(384, False), "a mask")
            heat(tmp_path, 2)
            slower = wait_for(lambda: such(384, True), "the lower rate")
            assert slower.mode is Mode.DEGRADED and Reason.THERMAL in slower.reasons
            smaller = wait_for(lambda: such(288, True), "the smaller network")
            assert smaller.stream_id == first.stream_id
            assert daemon.capture._limit._interval_ns == pytest.approx(S / 15)
            heat(tmp_path, 0)
            again = wait_for(lambda: such(384, False), "all again")
            assert Reason.THERMAL not in again.reasons and again.stream_id == first.stream_id
            assert daemon.capture._limit._interval_ns == 0
        finally:
            stop.set()
            thread.join()
    assert "reduced to 15 frames a second by roadlite-288x224" in caplog.text
    assert "as configured again" in caplog.text
