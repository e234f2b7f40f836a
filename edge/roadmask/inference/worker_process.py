"""The network's process, as its daemon holds it.

Imports next to nothing, so that a daemon can start it before all that takes time.
``python -m roadmask.inference.worker_process MODULE FD`` is the child's own beginning.
"""

from __future__ import annotations

import contextlib
import errno
import pickle
import signal
import socket
import subprocess
import sys
from importlib import import_module
from typing import TYPE_CHECKING

from roadmask.system.clock import now_ns
from roadmask.system.first_moments import HELD, ignore_signals

if TYPE_CHECKING:
    from roadmask.inference.engine_order import EngineOrder


_KILL_S = 0.5  # that a process takes to end which nothing holds, on a busy machine too


class WorkerProcess:
    """``roadmask.inference.engine_worker``, importing, then waiting for its order.

    A context manager; its end ends the process.

    Raises:
        ModelError: no process can be started; which may pass.

    Attributes:
        peer: the daemon's end of a SOCK_SEQPACKET pair.
        process: the child.
        ordered: it was told what to load.
        loaded: what it said once it had, where somebody took it already.
        started_ns: when, CLOCK_BOOTTIME.
    """

    def __init__(self) -> None:
        self.ordered, self.loaded = False, b""
        self.started_ns = now_ns()
        self.peer, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            command = [sys.executable, "-m", "roadmask.inference.worker_process"]
            command.append("roadmask.inference.engine_worker")
            # Held until the child ignores them: a terminal's Ctrl-C is for the daemon alone.
            mask = signal.pthread_sigmask(signal.SIG_BLOCK, HELD)
            try:
                self.process = subprocess.Popen(
                    [*command, str(theirs.fileno())],
                    pass_fds=[theirs.fileno()],
                    stdin=subprocess.DEVNULL,
                )
            except OSError as error:
                self.peer.close()
                raise _not_started(error) from None
            finally:
                signal.pthread_sigmask(signal.SIG_SETMASK, mask)

    def __enter__(self) -> WorkerProcess:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def load(self, order: EngineOrder) -> None:
        """Tell it what to load."""
        with contextlib.suppress(OSError):  # it ended already, which whoever waits for it finds
            self.peer.send(pickle.dumps(order))
        self.ordered = True

    def end(self) -> None:
        """At once, whatever it does; left behind where that takes long."""
        self.peer.close()
        self.process.kill()
        try:
            self.process.wait(_KILL_S)
        except subprocess.TimeoutExpired:
            _tell_left_behind(self.process.pid)


def _tell_left_behind(pid: int) -> None:
    import logging

    from roadmask.inference.own_time import runnable

    logger = logging.getLogger(__name__)
    if runnable(pid):
        logger.warning(
            "the network's process %d did not end within %g s: others have its core; it is left "
            "behind, and ends when it gets one",
            pid,
            _KILL_S,
        )
        return
    logger.error(
        "the network's process %d does not end within %g s: a driver holds it in the kernel; it is "
        "left behind, and its device may need a restart of the board",
        pid,
        _KILL_S,
    )


def _not_started(error: OSError) -> Exception:
    from roadmask.errors import ModelError
    from roadmask.system.scheduling import no_thread

    # A process is a task as a thread is, and refused with the same number.
    why = no_thread() if error.errno == errno.EAGAIN else f"{error.strerror}; mend that"
    return ModelError(f"the network's process did not start: {why}")


if __name__ == "__main__":
    ignore_signals()  # the daemon's end ends this process
    sys.exit(import_module(sys.argv[1]).main(int(sys.argv[2])))
