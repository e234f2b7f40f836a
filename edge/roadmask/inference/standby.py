"""A second process of the network, loaded and waiting for the first one's end.

Nothing is heard of it until it is needed, so it is asked, and one that is gone or says nothing is
replaced: the stream would wait for it when it can least afford to.
"""

from __future__ import annotations

import logging
import pickle
import socket
from contextlib import suppress
from pathlib import Path

from roadmask.errors import ModelError
from roadmask.inference.engine_order import EngineOrder
from roadmask.inference.engine_worker import ASK, FAILED, LOADED, MESSAGE_BYTES
from roadmask.inference.own_time import OwnTime
from roadmask.inference.worker_process import WorkerProcess
from roadmask.system.clock import now_ns

_log = logging.getLogger(__name__)
_LOOK_NS = 1_000_000_000
_ANSWER_S = 1.0  # it has nothing else to do
_LONGEST_NS = 64_000_000_000  # between two that were made in vain


class Standby:
    """Has such a process made, looks after it, gives it away.

    Args:
        order: what it loads.
        load_s: how long its load may take.
    """

    def __init__(self, order: EngineOrder, load_s: float) -> None:
        self._order, self._load_s = order, load_s
        self._worker: WorkerProcess | None = None
        self._taken = True
        self._waited: OwnTime | None = None
        self._look_ns = self._pause_ns = 0

    def take(self) -> WorkerProcess | None:
        """It, the caller's from now on; None for none. It may be loading, or hang.

        There is no other one before ``renew``.
        """
        worker, self._worker, self._taken = self._worker, None, True
        if worker is not None and (wrong := self._hear(worker) or _ended(worker)):
            worker.end()
            self._tell(wrong)
            return None
        return worker

    def renew(self) -> None:
        """Have one made, where there is none."""
        now, self._taken = now_ns(), False
        self._look_ns = now + _LOOK_NS
        if self._worker is not None:
            return
        try:
            self._worker = WorkerProcess()
        except ModelError as error:
            self._put_off(f"was not made ({error})")
            return
        self._worker.load(self._order)
        self._waited = OwnTime(self._worker.process.pid, now)

    def look(self) -> None:
        """Once a second: replace one that is gone or hangs. Costs the caller a process's start."""
        if self._taken or now_ns() < self._look_ns:
            return
        if self._worker is not None and (wrong := self._wrong(self._worker)):
            self.end()
            self._put_off(wrong)
            return
        self.renew()

    def end(self) -> None:
        """Of the process, at once."""
        if self._worker is not None:
            self._worker.end()
            self._worker = None

    def _put_off(self, wrong: str) -> None:
        self._tell(f"{wrong}; a fresh one in {self._pause_ns * 1e-9:.0f} s")
        self._look_ns = now_ns() + self._pause_ns
        self._pause_ns = min(max(2 * self._pause_ns, _LOOK_NS), _LONGEST_NS)

    def _tell(self, what: str) -> None:
        _log.warning("%s: the standby %s", Path(self._order.model).stem, what)

    def _wrong(self, worker: WorkerProcess) -> str:
        """Why it is no use; empty for nothing."""
        if wrong := self._hear(worker) or _ended(worker):
            return wrong
        if self._waited is None:  # it answered
            self._pause_ns = 0
            with suppress(OSError):  # it ended, which the next look finds
                worker.peer.send(ASK, socket.MSG_DONTWAIT)
            self._waited = OwnTime(worker.process.pid, now_ns())
            return ""
        allowed_s = _ANSWER_S if worker.loaded else self._load_s
        if self._waited.spent_s() < allowed_s:
            return ""
        return f"did not {'answer' if worker.loaded else 'load'} within {allowed_s:.0f} s"

    def _hear(self, worker: WorkerProcess) -> str:
        """Take what it said; why it is no use."""
        while True:
            try:
                said = worker.peer.recv(MESSAGE_BYTES, socket.MSG_DONTWAIT)
            except OSError:  # nothing, or its end, which others find
                return ""
            if not said:
                return ""
            if said[:1] == FAILED:
                return f"failed: {pickle.loads(said[1:])}"
            if said[:1] == LOADED:
                worker.loaded = said
            self._waited = None


def _ended(worker: WorkerProcess) -> str:
    code = worker.process.poll()
    if code is None:
        return ""
    return f"ended, signal {-code}" if code < 0 else f"ended, exit code {code}"
