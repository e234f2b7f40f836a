"""What keeps other work off the daemon: real-time scheduling, locked memory, cores of its own.

Each is done in full or refused: a daemon that was told to be real-time and is not would be found
out in the vehicle.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import resource
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from roadmask.errors import ConfigError
from roadmask.system.forms import CORES

_GONE_S = 2.0  # more than a busy system takes; without /proc there is nothing to wait for
_OWN_THREADS = 4  # capture, publication, heartbeat, one to spare
_SOME_BYTES = 64 << 20
_STACK_BYTES = 8 << 20  # of a thread, unless its limit says otherwise
_NO_TASK = "no further thread or process may start: raise the limit of tasks (TasksMax=, ulimit -u)"
_NO_MEMORY = "there is no memory left: raise the limit (MemoryMax=, ulimit -v) or free some"
# <sys/mman.h>; ONFAULT locks what is touched, not the whole of every library.
_MCL_CURRENT, _MCL_FUTURE, _MCL_ONFAULT = 1, 2, 4


def use_realtime(priority: int) -> None:
    """Schedule the calling thread, and each that it starts from now on, as SCHED_FIFO.

    Args:
        priority: 1 to 99.

    Raises:
        ConfigError: not permitted.
    """
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(priority))
    except PermissionError:
        raise ConfigError(
            f"--realtime {priority} is not permitted: give the service LimitRTPRIO={priority} "
            f"(systemd), the user 'rtprio {priority}' in /etc/security/limits.d, or leave it out"
        ) from None


def lock_memory() -> None:
    """Keep every page that the process has touched, or will, in memory.

    Raises:
        ConfigError: not permitted.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mlockall(_MCL_CURRENT | _MCL_FUTURE | _MCL_ONFAULT):
        reason = os.strerror(ctypes.get_errno())
        raise ConfigError(
            f"--lock-memory is not permitted ({reason}): give the service LimitMEMLOCK=infinity "
            "(systemd), the user 'memlock unlimited' in /etc/security/limits.d, or leave it out"
        )


def parse_cores(text: str) -> frozenset[int]:
    """``0,2-3`` → {0, 2, 3}; empty for an empty text.

    Raises:
        ConfigError: not of this form, or not cores that this process may use.
    """
    if text:
        CORES.take(text, "--cores")
    cores: set[int] = set()
    for part in text.split(",") if text else ():
        first, dash, last = part.partition("-")
        cores.update(range(int(first), int(last if dash else first) + 1))
    allowed = os.sched_getaffinity(0)
    if text and (not cores or not cores <= allowed):
        usable = ", ".join(str(core) for core in sorted(allowed))
        raise ConfigError(f"--cores {text}: expected some of the cores {usable}")
    return frozenset(cores)


def require_threads(count: int) -> None:
    """Refuse more threads than this process may start: native code would crash on the first.

    Raises:
        ConfigError: a limit of tasks or memory is in the way.
    """
    if count < 2:
        return
    let_go = threading.Event()
    started: list[threading.Thread] = []
    try:
        while len(started) < count + _OWN_THREADS:
            thread = threading.Thread(target=let_go.wait, daemon=True)
            thread.start()
            started.append(thread)
    except RuntimeError:
        # While they are there: what stood in the way of one more is in the way still.
        limit = "tasks (TasksMax=, ulimit -u)" if _room_for_a_stack() else "memory (ulimit -v)"
        raise ConfigError(
            f"--threads {count}: only {max(1, len(started) - _OWN_THREADS)} can be started here; "
            f"give fewer, or raise the limit of {limit}"
        ) from None
    finally:
        let_go.set()
        for thread in started:
            thread.join()
        _until_gone(started)


def _until_gone(threads: list[threading.Thread]) -> None:
    """A thread that was joined counts as a task until the system has seen to its end as well."""
    end_s = time.monotonic() + _GONE_S
    for thread in threads:
        task = Path(f"/proc/self/task/{thread.native_id}")
        while task.exists() and time.monotonic() < end_s:
            time.sleep(0.0005)


def what_lacks() -> str:
    """What this process cannot have any more, in words: a thread, memory, or nothing ("").

    Native code that gets neither often says something else.
    """
    try:
        thread = threading.Thread(target=lambda: None, daemon=True)
        thread.start()
        thread.join()
    except RuntimeError:
        return no_thread()
    return "" if _room(_SOME_BYTES) else _NO_MEMORY


def no_thread() -> str:
    """Why a thread, or a process, could not be started just now, in words.

    The system says the same of both limits. A stack that could be had names the tasks, however
    many of them have ended since.
    """
    return _NO_TASK if _room_for_a_stack() else _NO_MEMORY


def _room_for_a_stack() -> bool:
    most = resource.getrlimit(resource.RLIMIT_STACK)[0]
    return _room(_STACK_BYTES if most == resource.RLIM_INFINITY else most)


def _room(size: int) -> bool:
    try:
        mmap.mmap(-1, size).close()
    except (OSError, MemoryError):
        return False
    return True


@contextmanager
def pinned(cores: frozenset[int]) -> Iterator[None]:
    """Keep this thread, and those that it starts meanwhile, on ``cores``; on all for none."""
    if not cores:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
