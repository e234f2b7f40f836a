"""An engine in a process of its own: a network that crashes or hangs is told, ended and replaced.

The tensors lie in memory that both processes map, and so does whose turn it is; the answer says
when the network began and ended. An answer that is late is told at once; one that does not come
ends the process, for nothing else ends a hang in native code.
"""

from __future__ import annotations

import logging
import os
import pickle
import socket
import struct
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from roadmask.errors import ModelError, RoadmaskError
from roadmask.inference.accelerator import Accelerator, Placement
from roadmask.inference.engine import Engine, EngineLostError
from roadmask.inference.engine_order import EngineOrder
from roadmask.inference.engine_worker import (
    FAILED,
    HERE,
    LOADED,
    MESSAGE_BYTES,
    MOVED,
    READY,
)
from roadmask.inference.own_time import OwnTime, ran_s
from roadmask.inference.patience import Patience
from roadmask.inference.shared_tensors import Place, SharedTensors, new_memory
from roadmask.inference.standby import Standby
from roadmask.inference.worker_process import WorkerProcess
from roadmask.system.clock import now_ns

_log = logging.getLogger(__name__)
_SLICE_S = 0.1  # between two looks whether to stop
_LOOK_S = 0.01  # between two looks whether the process that should answer is there
_LATE_LOAD = 10  # slices after which a load is told
_LOAD_S = 30.0  # a board's first load from a slow card; a hang in there is one too
_RELOADS_S = 5.0  # at least, for a later one: all may have to be read from the card again
_TIMES_FIRST = 4  # what it cost the first engine, a later one may take
_TAKES_OVER_S = 0.5  # at least: a fresh one is there soon after
_STEADY_NS = 10_000_000_000  # an engine that lived so long does not belong to a crash loop
_PAUSE_S, _LONGEST_PAUSE_S = 0.05, 2.0
_LAST_CHANCE = 2  # losses with an accelerator, then the processor takes over


class ProcessEngine(Engine):
    """An ``Engine`` whose network runs in another process; the arrays are shared with it.

    The process starts at once, so that it loads beside whatever is done before ``load``. A context
    manager; its end ends the process.

    Args:
        order: what the process loads.
        max_age_ms: a mask that is older is useless, see ``Patience``.
        worker: the process, where it was started already, with or without its order.
        standby: have another one loaded and waiting, to take the place of one that is lost; not of
            an accelerator's, which may be of one process alone.

    Attributes:
        restarts: engines that were replaced.
        late: called when an answer is late, by whoever waits for it.
        waiting: called again and again while an engine loads.
    """

    def __init__(
        self,
        order: EngineOrder,
        max_age_ms: float = 250.0,
        worker: WorkerProcess | None = None,
        standby: bool = False,
    ) -> None:
        self._standby: Standby | None = None
        if standby and not order.accelerator.name:
            self._standby = Standby(order, _LOAD_S)
        self._order, self._patience = order, Patience(max_age_ms / 1000)
        self._fallback, self._span = "", b""
        self._placed: Placement
        self._places: list[Place] = []  # of the tensors in the shared memory
        self._operators: dict[str, int] = {}
        self._first_s: dict[bytes, float] = {}  # what it cost the first engine to say this
        self._first_load_s = 0.0  # from its process's start to its first answer
        self._stop = threading.Event()
        self._ready_ns = 0
        self._losses = self._in_a_row = self.restarts = 0
        self.late: Callable[[], None] = lambda: None
        self.waiting: Callable[[], None] = lambda: None
        self.standing, self.ask_again = None, None
        self._begin(worker or WorkerProcess())

    def __enter__(self) -> ProcessEngine:
        return self

    def __exit__(self, *_: object) -> None:
        self._end()
        if self._standby is not None:
            self._standby.end()
        if self._places:
            os.close(self._memory)
            self._places = []
        # Both know this engine, whose memory would wait for the collector.
        self.ask_again, self.late = None, lambda: None

    def load(self, stop: threading.Event) -> None:
        """Wait until the network is loaded and warm, or told to stop; before anything else.

        Raises:
            RoadmaskError: what ``Engine`` raises.
        """
        self._stop = stop
        self._finish(stop)
        self._have_standby()

    def timed(self) -> tuple[int, int]:
        """Run the network on what ``direct_input`` holds.

        Returns:
            When it began and ended, as the other process saw it: CLOCK_BOOTTIME in ns.

        Raises:
            EngineLostError: it crashed, hung, or failed: see ``recover``.
        """
        asked_ns = now_ns()
        answer = self._turns.ask(min(self._patience.late_s, _LOOK_S))
        began_ns, ended_ns, told = answer or self._await_answer(asked_ns)
        if told and (wrong := self._hear_of_move()):
            raise self._lost(f"is on the processor: {wrong}")
        self._patience.learn(ended_ns - began_ns)
        if self._standby is not None:
            self._standby.look()
        return began_ns, ended_ns

    def invoke_direct(self) -> None:
        """The same, without the times."""
        self.timed()

    @property
    def operators(self) -> dict[str, int]:
        """Names of the network's operators, each with its number."""
        return self._operators

    @property
    def placement(self) -> Placement:
        """Who runs which operators now."""
        if self._fallback:
            name = self._placed.accelerator
            return replace(self._placed, accelerator=name, fallback=self._fallback)
        return self._placed

    def recover(self, stop: threading.Event | None = None) -> None:
        """Put a fresh engine in the place of one that was lost; returns early on ``stop``.

        Where the network was proved, the fresh one has answered the golden frames too, or there is
        none yet. ``stop`` is by default that of ``load``.
        """
        self._stop = stop = stop or self._stop
        self._losses += 1
        self._end()
        if now_ns() - self._ready_ns > _STEADY_NS:
            self._in_a_row = 0
        while not stop.is_set():
            self._in_a_row += 1
            pause_s = min(_PAUSE_S * 2 ** (self._in_a_row - 2), _LONGEST_PAUSE_S)
            if self._in_a_row > 1 and stop.wait(pause_s):
                return
            try:
                self._give_up_accelerator()
                spare = self._standby.take() if self._standby is not None else None
                self._begin(spare or WorkerProcess())
                self._finish(stop, hurried=spare is not None)
                self._prove_again()
            except RoadmaskError as error:
                _log.error("%s; again in %.1f s", error, min(2 * pause_s, _LONGEST_PAUSE_S))
                self._losses += 1
                self._end()
                continue
            self.restarts += 1
            self._have_standby()
            _log.warning("%s: engine started anew, the %d. time", self.name, self.restarts)
            return

    def give_up_accelerator(self, reason: str) -> bool:
        """As of ``Engine``: a fresh process, on the processor."""
        accelerator = self._order.accelerator
        if not accelerator.name or self.placement.fallback:
            return False
        if accelerator.required:
            raise ModelError(f"model {self.path} on {accelerator.name}: {reason}")
        self._go_on_without(f"{accelerator.name}: {reason}")
        self.recover()
        return True

    def _prove_again(self) -> None:
        wrong = self.asked_again()
        if not wrong or self._stop.is_set():
            return
        accelerator = self._order.accelerator
        if accelerator.name and not accelerator.required:
            self._go_on_without(f"{accelerator.name}: {wrong}")
        raise ModelError(f"model {self.path}, started anew: {wrong}")

    def asked_again(self) -> str:
        """As of ``Engine``; who was told to stop asks nothing."""
        return "" if self._stop.is_set() else super().asked_again()

    def _begin(self, worker: WorkerProcess) -> None:
        self._worker, self._peer = worker, worker.peer
        if not worker.ordered:
            worker.load(self._order)

    def _have_standby(self) -> None:
        if self._standby is not None and not self._stop.is_set():
            self._standby.renew()

    def _finish(self, stop: threading.Event, hurried: bool = False) -> None:
        try:
            loaded = self._worker.loaded[1:] or self._wait(LOADED, stop, hurried)
            if loaded is None:
                return
            facts, self._operators, self._placed, places = pickle.loads(loaded)
            self._share(facts, places)
            socket.send_fds(self._peer, [pickle.dumps(self._places)], [self._memory])
            warmed = self._wait(READY, stop, hurried)
            if warmed is None:
                return
        except OSError as error:
            raise EngineLostError(
                f"model {self._order.model}: its process ended at the start"
            ) from error
        if self._placed.fallback:
            self._note_move(self._placed)
        self._announce()
        self._ready_ns = now_ns()
        took_s = (self._ready_ns - self._worker.started_ns) * 1e-9
        self._first_load_s = self._first_load_s or took_s
        self._patience.begin(pickle.loads(warmed))

    def _wait(self, kind: bytes, stop: threading.Event, hurried: bool) -> bytes | None:
        """The body of the next message, of this kind; None when told to stop."""
        pid = self._worker.process.pid
        own, before_s = OwnTime(pid, now_ns()), 0.0 if kind == LOADED else ran_s(pid)
        allowed_s = self._allowed_s(kind, hurried)
        for turn in range(round(_LOAD_S / _SLICE_S)):
            self.waiting()
            if turn == _LATE_LOAD:
                self.late()
            answer = self._answer(_SLICE_S)
            if answer is not None and answer[:1] == kind:
                self._first_s.setdefault(kind, ran_s(pid) - before_s)
                return answer[1:]
            if answer is not None and answer != HERE:
                if answer[:1] == FAILED:
                    raise pickle.loads(answer[1:])
                raise EngineLostError(f"model {self._order.model}: {_reason(answer)}")
            if stop.is_set():
                return None
            if own.spent_s() >= allowed_s:
                missed = "stood by and did not take over" if hurried else "did not load"
                raise self._lost(f"{missed} within {allowed_s:.1f} s")
        raise EngineLostError(f"model {self._order.model} was not loaded within {_LOAD_S:.0f} s")

    def _allowed_s(self, kind: bytes, hurried: bool) -> float:
        """Of its own time, until it says this."""
        if hurried:
            return max(_TAKES_OVER_S, _TIMES_FIRST * self._first_s.get(kind, _LOAD_S))
        if not self._first_load_s:
            return _LOAD_S
        return min(_LOAD_S, max(_RELOADS_S, _TIMES_FIRST * self._first_load_s))

    def _share(self, facts: dict[str, Any], places: list[Place]) -> None:
        if not self._places:
            self._places, self._memory = places, new_memory(places)
            shared = SharedTensors(self._memory, places)
            self._turns = shared.turns
            self.direct_input, self.output = shared.arrays
            for name, value in facts.items():
                setattr(self, name, value)
            self.input = self.direct_input
            if self._casts:
                self.input = np.zeros(self.direct_input.shape, np.uint8)
        elif [place[:2] for place in places] != [place[:2] for place in self._places] or (
            facts["digest"] != self.digest
        ):
            raise EngineLostError(
                f"model {self.path} was replaced meanwhile: start the daemon anew"
            )
        self._turns.forget()

    def _answer(self, timeout_s: float) -> bytes | None:
        """The next message, empty at the other's end; None when none came in time."""
        if timeout_s <= 0:
            return None
        whole, part = divmod(timeout_s, 1.0)
        span = struct.pack("@ll", int(whole), max(int(part * 1e6), 1))
        if span != self._span:
            self._peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, span)
            self._span = span
        try:
            return self._peer.recv(MESSAGE_BYTES)
        except BlockingIOError:
            return None

    def _note_move(self, placement: Placement) -> None:
        self._placed = placement
        _log.warning("%s: on the processor from now on: %s", self.name, placement.fallback)

    def _hear_of_move(self) -> str:
        """The processor has taken over; what is wrong with its answers to the golden frames."""
        answer = self._answer(_SLICE_S)
        if answer is None or answer[:1] != MOVED:
            raise self._lost("said nothing of its move")
        self._note_move(pickle.loads(answer[1:]))
        return self.asked_again()

    def _await_answer(self, asked_ns: int) -> tuple[int, int, bool]:
        """One that did not come at once: is it late, lost, or the process gone?"""
        patience, told, pause_s = self._patience, False, 0.0
        own = OwnTime(self._worker.process.pid, asked_ns)
        while True:
            # First of all: what came is an answer, however late this thread itself got a core.
            answer = self._turns.wait(pause_s)
            if answer is not None:
                return answer
            if self._worker.process.poll() is not None:
                raise self._lost(self._last_words())
            passed_s = (now_ns() - asked_ns) * 1e-9
            pause_s = min(max(patience.late_s - passed_s, 0.0) or _LOOK_S, _LOOK_S)
            if passed_s < patience.late_s:
                continue
            if self._stop.is_set():
                raise self._lost("had not answered when the daemon was told to stop")
            own_s = own.spent_s()
            if not told and patience.is_late(own_s, passed_s):
                self.late()
                told = True
            if patience.is_lost(own_s, passed_s):
                raise self._lost(f"did not answer within {1000 * passed_s:.0f} ms")

    def _last_words(self) -> str:
        try:
            return _reason(self._answer(_SLICE_S) or b"")
        except OSError as error:
            return f"ended: {error.strerror}"

    def _lost(self, what: str) -> EngineLostError:
        code = self._worker.process.poll()
        if code is not None and code < 0:
            what += f", signal {-code}"
        return EngineLostError(f"model {self.path}: the network's process {what}")

    def _give_up_accelerator(self) -> None:
        accelerator = self._order.accelerator
        if accelerator.name and not accelerator.required and self._losses >= _LAST_CHANCE:
            self._go_on_without(f"{accelerator.name} was lost {self._losses} times")

    def _go_on_without(self, reason: str) -> None:
        _log.error("%s: on the processor from now on: %s", self.name, reason)
        # The arrays stay what they are, and an accelerator is shown the network as it is.
        self._order = replace(self._order, accelerator=Accelerator(), direct=False)
        self._fallback = reason

    def _end(self) -> None:
        self._worker.end()
        self._span = b""


def _reason(answer: bytes) -> str:
    if answer[:1] == FAILED:
        return f"failed: {pickle.loads(answer[1:])}"
    return "ended" if not answer else f"answered {answer[:8]!r}"
