"""Ctrl-C answers within a second, whatever the work is in.

A library that computes in C++ (a converter, a graph that is compiled, an import) hears no signal
until it returns. So a desktop command's work runs in a child process, forked before anything heavy
is loaded; this one waits. It passes signals on, gives the child a moment to end in order, then ends
it and everything that it started, and clears away what was half-written.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from roadmask.system.command_line import (
    EXIT_INTERRUPTED,
    EXIT_UNUSABLE,
    complain,
    interrupted,
    leave_interruptions_to_parent,
    open_streams,
)
from roadmask.system.files import note_temporaries

_GRACE_S = {signal.SIGINT: 0.5, signal.SIGTERM: 5.0}  # a service manager waits longer than people
_WATCHED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGTSTP, signal.SIGCHLD)
_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36


def guarded(main: Callable[[], int], kept: Callable[[], str]) -> int:
    """Run ``main`` in a child and return its exit code, in the child and here alike.

    Args:
        main: the command; its process has no other threads yet.
        kept: what there is after an end at any moment, for the line that says so.
    """
    if not sys.platform.startswith("linux"):
        return main()
    folder = Path(tempfile.mkdtemp(prefix="roadmask-"))
    open_streams()
    sys.stdout.flush()
    sys.stderr.flush()
    signal.pthread_sigmask(signal.SIG_BLOCK, _WATCHED)
    # What the child started becomes ours when it dies, so that its end can be waited for.
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1)
    parent = os.getpid()
    child = os.fork()
    if child == 0:
        _begin(parent, folder)
        leave_interruptions_to_parent()
        try:
            return main()
        except KeyboardInterrupt:
            return interrupted()
    with suppress(OSError):  # the child does it too: whoever comes first
        os.setpgid(child, child)
    code = _watch(child)
    _clear(folder)
    if code == EXIT_INTERRUPTED:
        complain(f"interrupted; {kept()}")
        os._exit(code)  # the interpreter's own end takes a moment, and there is nothing left to do
    return code


def _begin(parent: int, folder: Path) -> None:
    """In the child: a group of its own, so that a terminal's signals come once, by the parent."""
    os.setpgid(0, 0)
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died meanwhile
        os._exit(EXIT_INTERRUPTED)
    os.environ["TMPDIR"] = str(folder)
    tempfile.tempdir = None
    note_temporaries(folder)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _WATCHED)


def _watch(child: int) -> int:
    """Until the child has ended; its exit code."""
    deadline = None
    while True:
        left = 3600.0 if deadline is None else max(0.0, deadline - time.monotonic())
        given = signal.sigtimedwait(_WATCHED, left)
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return _code(child, status, told=deadline is not None)
        if given is None and deadline is not None:
            _end(child)
            return EXIT_INTERRUPTED
        if given is None:
            continue
        number = signal.Signals(given.si_signo)
        if number == signal.SIGTSTP:
            _stop_together(child)
        elif number in _GRACE_S:
            # Told twice: at once.
            grace = 0.0 if deadline is not None else _GRACE_S[number]
            deadline = time.monotonic() + grace
            if grace:
                os.kill(child, number)
        elif number == signal.SIGHUP:
            os.kill(child, number)


def _stop_together(child: int) -> None:
    """As Ctrl-Z does; both go on together."""
    os.killpg(child, signal.SIGSTOP)
    os.kill(os.getpid(), signal.SIGSTOP)
    os.killpg(child, signal.SIGCONT)


def _end(child: int) -> None:
    """Kill it and everything that it started, and wait until none of them is left."""
    with suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)
    with suppress(ChildProcessError):
        while True:
            os.waitpid(-child, 0)


def _code(child: int, status: int, *, told: bool) -> int:
    code = os.waitstatus_to_exitcode(status)
    if code < 0 or told:  # what it started need not have ended with it
        _end(child)
    if code >= 0:
        return code
    if told:
        return EXIT_INTERRUPTED
    name = signal.Signals(-code).name
    complain(f"the work was ended by {name}: out of memory, or a fault in a library; -v shows more")
    return EXIT_UNUSABLE


def _clear(folder: Path) -> None:
    """Remove the child's temporary files, and those beside its results that links here name."""
    for link in folder.glob("half-written-*"):
        link.readlink().unlink(missing_ok=True)
    shutil.rmtree(folder, ignore_errors=True)
