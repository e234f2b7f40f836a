"""Signals of a process's first moments wait until somebody in it answers them.

Until then the kernel's answer would be the process's end; here it keeps one of each. What imports
this must import nothing that takes time.
"""

from __future__ import annotations

import signal

HELD = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)


def hold_signals() -> None:
    """SIGHUP, SIGINT and SIGTERM wait. Threads and processes made meanwhile let them wait too."""
    signal.pthread_sigmask(signal.SIG_BLOCK, HELD)


def let_signals_come() -> None:
    """They are answered from now on, those that waited first of all."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, HELD)


def ignore_signals() -> None:
    """For a process whose end is another's affair: they neither come nor wait."""
    for number in HELD:
        signal.signal(number, signal.SIG_IGN)
    let_signals_come()
