"""What makes a mask less than OK: its age, its rate, its time stamp, who made it."""

from __future__ import annotations

import numpy as np

from roadmask.daemon.frame_slot import Captured
from roadmask.daemon.health import Health
from roadmask.inference.tensors import Prepared
from roadmask.sources import SourceKind
from roadmask.stream.modes import Mode, Reason

PERIOD_NS = 33_333_333


def captured(capture_ns: int, driver_time: bool = True) -> Captured:
    nothing = np.empty((0, 0, 3), np.uint8)
    prepared = Prepared(nothing)
    return Captured(nothing, (64, 48), capture_ns, 1, driver_time, capture_ns, prepared)


def test_a_frame_in_time_is_ok() -> None:
    health = Health(SourceKind.LIVE, PERIOD_NS, 250)
    for i in range(1, 100):
        mode = health.judge(captured(i * PERIOD_NS), Reason.NONE, i * PERIOD_NS + 249_000_000)
        assert mode == (Mode.OK, Reason.NONE)


def test_a_mask_that_is_too_old_before_it_is_out_is_stale() -> None:
    health = Health(SourceKind.LIVE, PERIOD_NS, 250)
    old = health.judge(captured(PERIOD_NS), Reason.BLOCKED, PERIOD_NS + 250_000_001)
    assert old == (Mode.STALE, Reason.NO_NEW_FRAME | Reason.BLOCKED)
    assert health.judge(captured(2 * PERIOD_NS), Reason.NONE, 2 * PERIOD_NS)[0] is Mode.OK


def test_pixels_of_which_nothing_is_known_degrade_and_then_fault() -> None:
    health = Health(SourceKind.LIVE, PERIOD_NS, 250)
    few = health.judge(captured(1), Reason.NONE, 2, 0.001)
    assert few == (Mode.DEGRADED, Reason.INFERENCE_FAILED)
    many = health.judge(captured(1), Reason.DARK, 2, 0.0011)
    assert many == (Mode.FAULT, Reason.INFERENCE_FAILED | Reason.DARK)
    late = health.judge(captured(1), Reason.NONE, 10**9, 1.0)
    assert late == (Mode.FAULT, Reason.INFERENCE_FAILED)


def test_a_frozen_picture_is_stale_however_young_its_stamp() -> None:
    health = Health(SourceKind.LIVE, PERIOD_NS, 250)
    assert health.judge(captured(1), Reason.FROZEN, 2) == (Mode.STALE, Reason.FROZEN)
    assert health.judge(captured(2), Reason.NONE, 3) == (Mode.OK, Reason.NONE)


def test_reasons_add_up() -> None:
    health = Health(SourceKind.LIVE, PERIOD_NS, 250)
    mode, reasons = health.judge(captured(1, driver_time=False), Reason.CPU_FALLBACK, 2)
    assert (mode, reasons) == (Mode.DEGRADED, Reason.CPU_FALLBACK | Reason.ESTIMATED_TIME)
    town = Health(SourceKind.SYNTHETIC, PERIOD_NS, 250)
    assert town.judge(captured(1, driver_time=False), Reason.NONE, 2) == (Mode.OK, Reason.NONE)


def test_a_low_rate_has_hysteresis() -> None:
    health, now = Health(SourceKind.LIVE, PERIOD_NS, 250), 1

    def after(periods: float, count: int) -> Mode:
        nonlocal now
        for _ in range(count):
            now += round(periods * PERIOD_NS)
            mode, reasons = health.judge(captured(now), Reason.NONE, now)
            assert (mode is Mode.DEGRADED) == (reasons == Reason.LOW_RATE)
        return mode

    assert after(1.9, 60) is Mode.OK
    assert after(2.5, 60) is Mode.DEGRADED
    assert after(1.8, 60) is Mode.DEGRADED  # not yet
    assert after(1.2, 60) is Mode.OK
    unpaced = Health(SourceKind.FILE, 0, 250)
    assert unpaced.judge(captured(1), Reason.NONE, 2)[0] is Mode.OK
    assert unpaced.judge(captured(9_000_000_000), Reason.NONE, 9_000_000_001)[0] is Mode.OK
