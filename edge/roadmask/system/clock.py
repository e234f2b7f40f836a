"""The one clock of the system: CLOCK_BOOTTIME, monotonic and running on through suspend."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

from roadmask.errors import ConfigError

_DRIFT = 1e-3  # more than two clocks of one machine part, and than the kernel slews a second
_TRIES = 16


def now_ns() -> int:
    """Nanoseconds since boot, time asleep included."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


@dataclass(frozen=True)
class ClockMapping:
    """How another clock of this machine stands to CLOCK_BOOTTIME, bounded.

    Attributes:
        offset_ns: other = CLOCK_BOOTTIME + this, at ``taken_ns``.
        bound_ns: it is no further off then.
        taken_ns: when both were read, CLOCK_BOOTTIME.
    """

    offset_ns: int
    bound_ns: int
    taken_ns: int

    def from_boottime(self, boottime_ns: int) -> int:
        """A stamp of the stream by the other clock."""
        return boottime_ns + self.offset_ns

    def to_boottime(self, other_ns: int) -> int:
        """A stamp of the other clock by CLOCK_BOOTTIME."""
        return other_ns - self.offset_ns

    def bound_at(self, boottime_ns: int) -> int:
        """How far off a converted stamp may be: a millisecond more for each second from then.

        That holds while nobody steps the other clock: take a mapping anew, every few seconds.
        """
        return self.bound_ns + int(abs(boottime_ns - self.taken_ns) * _DRIFT)


def clock_mapping(clock: str | int = "realtime") -> ClockMapping:
    """The mapping now, by readings of one clock between two of the other.

    Args:
        clock: ``realtime`` (UTC), ``tai``, ``monotonic``, a PTP device such as ``/dev/ptp0``, or a
            clock id as ``time.clock_gettime`` takes it.

    Raises:
        ConfigError: there is no such clock, or it cannot be read.
    """
    names = {
        "realtime": time.CLOCK_REALTIME,
        "monotonic": time.CLOCK_MONOTONIC,
        "tai": getattr(time, "CLOCK_TAI", 11),
    }
    if isinstance(clock, int) or clock in names:
        return _mapping(clock if isinstance(clock, int) else names[clock], str(clock))
    expected = f"{', '.join(names)} or a device such as /dev/ptp0"
    if not Path(clock).is_char_device():
        raise ConfigError(f"clock {clock!r} is no device; expected {expected}")
    try:
        device = os.open(clock, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise ConfigError(f"clock {clock}: {error.strerror}; expected {expected}") from error
    try:
        return _mapping((~device << 3) | 3, clock)  # clock_getres(2): dynamic clocks
    finally:
        os.close(device)


def _mapping(clock_id: int, name: str) -> ClockMapping:
    best: ClockMapping | None = None
    for _ in range(_TRIES):
        before = now_ns()
        try:
            other = time.clock_gettime_ns(clock_id)
        except OSError as error:
            raise ConfigError(
                f"clock {name} cannot be read: {error.strerror}; expected a clock of this machine"
            ) from error
        after = now_ns()
        middle, bound = (before + after) // 2, (after - before) // 2 + 1
        if best is None or bound < best.bound_ns:
            best = ClockMapping(other - middle, bound, middle)
    assert best is not None
    return best
