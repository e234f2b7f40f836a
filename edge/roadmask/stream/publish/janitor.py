"""Removes a publisher's files when it is gone, however it went."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
from pathlib import Path

_log = logging.getLogger(__name__)

_SHELL = "/bin/sh"
_FOR_THE_OWNER = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)
# Waits until the owner's end of the pipe closes; then nothing of it stays in the file system. A
# file is its owner's only if it is the very one that the descriptor holds: a successor's is not.
# A signal to the whole group, as a service manager sends it, is for the owner.
_SCRIPT = """
trap '' HUP INT TERM
read -r _
[ "$0" -ef "/proc/self/fd/$1" ] && rm -f -- "$0"
[ "$0.lock" -ef "/proc/self/fd/$2" ] && rm -f -- "$0.lock"
"""


class Janitor:
    """A process that shares the owner's lock, and outlives it by a moment.

    Args:
        path: the socket; the lock is ``path.lock``.
        held, lock: descriptors of these two files.
    """

    def __init__(self, path: Path, held: int, lock: int) -> None:
        read_end, self._pipe = os.pipe2(os.O_CLOEXEC)
        self._process: subprocess.Popen[bytes] | None = None
        # Blocked until the script ignores them: a signal may come while the shell still starts.
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, _FOR_THE_OWNER)
        try:
            self._process = subprocess.Popen(
                [_SHELL, "-c", _SCRIPT, str(path), str(held), str(lock)],
                stdin=read_end,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=(held, lock),
                start_new_session=True,  # a Ctrl-C at the terminal is not for it
                cwd="/",
            )
        except OSError as error:
            # The next owner finds and removes what one that was killed left behind.
            _log.warning("no %s (%s): a kill leaves %s behind", _SHELL, error.strerror, path)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
            os.close(read_end)

    @property
    def lives(self) -> bool:
        """It waits, or there is no shell that could."""
        return self._process is None or self._process.poll() is None

    def dismiss(self) -> None:
        """End it before it removes anything: the owner does that, or goes on."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        if self._pipe >= 0:
            os.close(self._pipe)
        self._pipe = -1
