"""The one clock of the system: CLOCK_BOOTTIME, monotonic and running on through suspend."""

from __future__ import annotations

import time


def now_ns() -> int:
    """Nanoseconds since boot, time asleep included."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)
