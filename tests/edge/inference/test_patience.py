"""What counts as a hang: nothing before it is known what is usual, then what no mask waits for."""

from __future__ import annotations

import pytest

from roadmask.inference.patience import Patience

MS = 1_000_000


def learned(limit_s: float, taken_ns: int) -> Patience:
    patience = Patience(limit_s)
    for _ in range(100):
        patience.learn(taken_ns)
    return patience


def test_a_fresh_engine_is_given_a_second_or_what_its_warm_up_tells() -> None:
    patience = Patience(0.25)
    assert patience.late_s == patience.lost_s == 1.0
    patience.begin(600 * MS)
    assert patience.late_s == patience.lost_s == pytest.approx(2.4)
    assert Patience(5.0).lost_s == 5.0


def test_after_its_golden_frames_the_slowest_answer_tells() -> None:
    """A hang in the first hundred frames was told after a second."""
    patience = Patience(0.25)
    patience.begin(15 * MS)
    for taken_ms in (5, 6, 5):
        assert patience.late_s == 1.0
        patience.learn(taken_ms * MS)
    assert patience.late_s == 0.1 and patience.lost_s == 0.5
    patience.learn(30 * MS)
    assert patience.late_s == pytest.approx(0.12)
    for _ in range(96):
        patience.learn(5 * MS)
    assert patience.late_s == 0.04  # the one slow answer hardly counts
    assert patience.lost_s == 0.25


@pytest.mark.parametrize(
    ("taken_ms", "late_s", "lost_s"),
    [(1, 0.04, 0.25), (20, 0.08, 0.25), (100, 0.25, 0.4), (400, 0.25, 1.6)],
)
def test_a_slow_network_is_late_but_not_lost(taken_ms: int, late_s: float, lost_s: float) -> None:
    patience = learned(0.25, taken_ms * MS)
    assert patience.late_s == pytest.approx(late_s)
    assert patience.lost_s == pytest.approx(lost_s)


def test_who_is_left_no_core_is_late_by_its_own_time_and_lost_in_the_end() -> None:
    patience = learned(0.25, 5 * MS)
    assert patience.late_s == 0.04 and patience.lost_s == 0.25
    assert not patience.is_late(0.03, 0.99) and patience.is_late(0.04, 0.04)
    assert not patience.is_lost(0.03, 0.99) and patience.is_lost(0.25, 0.25)
    assert patience.is_lost(0.03, 1.0) and patience.is_late(0.03, 1.0)
