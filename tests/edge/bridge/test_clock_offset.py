from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from roadmask.bridge.clock_offset import MAX_AGE_NS, ClockOffset, SuspendWatch

MS = 1_000_000


def test_one_exchange_bounds_the_offset_by_its_round_trip() -> None:
    offset = ClockOffset()
    assert offset.bounds(0) is None
    # Asked at 100, answered at 110 ms; the other clock read 1105 ms in between: it was ahead
    # by 995 to 1005 ms, and 10 ms at 1000 ppm are 10 us of drift.
    assert offset.add(100 * MS, 1105 * MS, 110 * MS)
    assert offset.bounds(110 * MS) == (995 * MS - 10_000, 1005 * MS + 10_000)


def test_exchanges_are_intersected_and_widen_with_time() -> None:
    offset = ClockOffset()
    offset.add(0, 1000 * MS, 40 * MS)  # 960 to 1000 ms
    offset.add(50 * MS, 1045 * MS, 80 * MS)  # 965 to 995 ms
    bounds = offset.bounds(80 * MS)
    assert bounds is not None
    assert bounds == pytest.approx((965 * MS, 995 * MS), abs=0.1 * MS)
    later = offset.bounds(1080 * MS)
    assert later is not None
    # One second later by 1 ms on each side.
    assert later[1] - later[0] == pytest.approx(bounds[1] - bounds[0] + 2 * MS, abs=10)


def test_a_slow_exchange_takes_nothing_from_a_good_one() -> None:
    offset = ClockOffset()
    offset.add(0, 1000 * MS, 2 * MS)
    good = offset.bounds(900 * MS)
    offset.add(100 * MS, 1100 * MS + MS, 900 * MS)
    assert offset.bounds(900 * MS) == good


def test_a_step_of_the_other_clock_replaces_what_was_known() -> None:
    offset = ClockOffset()
    assert offset.add(0, 1000 * MS, 2 * MS)
    assert not offset.add(100 * MS, 5100 * MS, 102 * MS)
    bounds = offset.bounds(102 * MS)
    assert bounds == pytest.approx((4998 * MS, 5000 * MS), abs=0.1 * MS)


def test_it_is_forgotten_unless_confirmed() -> None:
    offset = ClockOffset()
    offset.add(0, 0, 2 * MS)
    assert offset.bounds(2 * MS + MAX_AGE_NS) is not None
    assert offset.bounds(2 * MS + MAX_AGE_NS + 1) is None
    assert offset.bounds(MS) is None  # our own clock went back: nothing can be said


def test_an_answer_before_its_question_measures_nothing() -> None:
    offset = ClockOffset()
    offset.add(2 * MS, 0, MS)
    assert offset.bounds(2 * MS) is None


@settings(max_examples=200)
@given(
    ahead=st.integers(-(10**15), 10**15),
    drift_ppm=st.integers(-600, 600),
    ways=st.lists(
        st.tuples(st.integers(0, 10**9), st.integers(0, 10**8), st.integers(0, 10**8)),
        min_size=1,
        max_size=20,
    ),
)
def test_the_true_offset_never_leaves_the_bounds(
    ahead: int, drift_ppm: int, ways: list[tuple[int, int, int]]
) -> None:
    """However long each way takes, and whichever of the two is the longer one."""

    def other(now: int) -> int:
        return now + ahead + now * drift_ppm // 1_000_000

    offset, now = ClockOffset(), 0
    for pause, there, back in ways:
        now += pause
        asked, answered = now, now + there + back
        assert offset.add(asked, other(asked + there), answered)
        now = answered
        bounds = offset.bounds(now)
        assert bounds is not None
        assert bounds[0] <= other(now) - now <= bounds[1]


def test_an_awake_machine_did_not_sleep() -> None:
    watch = SuspendWatch()
    assert not watch.slept()


def test_a_suspend_is_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    slept = [(0, 5), (2 * MS, 2 * MS + 5), (2 * MS, 2 * MS + 9)]
    monkeypatch.setattr("roadmask.bridge.clock_offset._slept_ns", lambda: slept.pop(0))
    watch = SuspendWatch()
    assert watch.slept()
    assert not watch.slept()
