"""How much of a wait a process had to itself: while others had its core it could not answer."""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path

from roadmask.system.clock import now_ns

_PROCESS_CLOCK = 2  # clock_getcpuclockid(3): the processor's time of a process, exact


class OwnTime:
    """Tells a process that hangs from one that waits for a core.

    One that sleeps, is stopped or is stuck in a driver has all the time to itself. One that could
    run has what it ran.

    Args:
        pid: of the process.
        since_ns: CLOCK_BOOTTIME from which on it is counted; until now all is its own.
    """

    def __init__(self, pid: int, since_ns: int) -> None:
        self._pid, self._since_ns = pid, since_ns
        self._before_s, self._ran_before_s = (now_ns() - since_ns) * 1e-9, ran_s(pid)

    def spent_s(self) -> float:
        """Its own time so far, in seconds; at most what has passed."""
        passed_s = (now_ns() - self._since_ns) * 1e-9
        threads = runnable(self._pid)
        if not threads:
            return passed_s
        ran = ran_s(self._pid) - self._ran_before_s
        return min(passed_s, self._before_s + ran / threads)


def runnable(pid: int) -> int:
    """How many of a process's threads run or wait for a core."""
    count = 0
    for path in Path(f"/proc/{pid}/task").glob("*/stat"):
        with suppress(OSError):  # a thread that ended
            count += path.read_bytes().rpartition(b")")[2].split()[0] == b"R"
    return count


def waited_ns() -> int:
    """How long this thread has waited for a core so far; 0 where the kernel does not count it."""
    try:
        return int(Path("/proc/thread-self/schedstat").read_bytes().split()[1])
    except (OSError, IndexError, ValueError):
        return 0


def ran_s(pid: int) -> float:
    """The processor's time that a process took so far, of all its threads, in seconds."""
    try:
        return time.clock_gettime((~pid << 3) | _PROCESS_CLOCK)
    except OSError:  # it is gone, which whoever waits for it finds
        return 0.0
