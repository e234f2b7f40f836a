"""How far another machine's CLOCK_BOOTTIME is ahead of ours: an interval that surely holds it.

Asked at ``a``, answered at ``b`` by our clock, the other clock read ``r`` in between: so it was
ahead of ours by at least ``r - b`` and at most ``r - a``, however the way was split between there
and back (Cristian, "Probabilistic clock synchronization", 1989). Exchanges are intersected, and
widened as time passes, because clocks drift. Nobody's wall clock is asked.
"""

from __future__ import annotations

import time

# Quartz is within 100 ppm and NTP slews by up to 500, on each side: 1 ms a second is beyond both.
_DRIFT_PPM = 1000
MAX_AGE_NS = 10_000_000_000  # an estimate that was not confirmed for so long is none
_SUSPEND_NS = 1_000_000


class ClockOffset:
    """Bounds of ``other clock - our clock``, in ns; none before the first exchange."""

    def __init__(self) -> None:
        self._bounds: tuple[int, int] | None = None
        self._at_ns = 0

    def add(self, asked_ns: int, remote_ns: int, answered_ns: int) -> bool:
        """Take one exchange in; False if it contradicts the former ones: a clock was stepped.

        Then the former ones are forgotten, and so should be every stamp that came before.
        """
        if answered_ns < asked_ns:
            return True  # no measurement
        slack = _drift(answered_ns - asked_ns)
        low, high = remote_ns - answered_ns - slack, remote_ns - asked_ns + slack
        former = self.bounds(answered_ns)
        agrees = former is None or (low <= former[1] and former[0] <= high)
        if former is not None and agrees:
            low, high = max(low, former[0]), min(high, former[1])
        self._bounds, self._at_ns = (low, high), answered_ns
        return agrees

    def bounds(self, now_ns: int) -> tuple[int, int] | None:
        """Least and greatest offset at ``now_ns``; None if none is known, or not any more."""
        if self._bounds is None or not 0 <= now_ns - self._at_ns <= MAX_AGE_NS:
            return None
        slack = _drift(now_ns - self._at_ns)
        return self._bounds[0] - slack, self._bounds[1] + slack


class SuspendWatch:
    """Tells that this machine slept: how long it did, CLOCK_BOOTTIME may know only to a second."""

    def __init__(self) -> None:
        self._slept = _slept_ns()

    def slept(self) -> bool:
        """True once after each suspend."""
        low, high = _slept_ns()
        slept = low > self._slept[1] + _SUSPEND_NS
        self._slept = (low, high) if slept else (low, min(high, self._slept[1]))
        return slept


def _slept_ns() -> tuple[int, int]:
    # Two reads of one clock around the other: this thread may be interrupted between them.
    before = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
    boot = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    after = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
    return boot - after, boot - before


def _drift(elapsed_ns: int) -> int:
    return -(-elapsed_ns * _DRIFT_PPM // 1_000_000)  # rounded up
