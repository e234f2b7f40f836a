"""What was published, read again off the frame path: for metrics and the flight recorder."""

from __future__ import annotations

import logging
import threading
from collections import deque
from typing import NamedTuple, Protocol, TypeVar

from roadmask.stream.modes import Mode, Reason
from roadmask.stream.protocol import FrameHeader, Stages, decode_header, decode_stages
from roadmask.stream.publish.publisher import Publisher
from roadmask.system.clock import now_ns

_log = logging.getLogger(__name__)
_EVERY_S = 0.5
_Item = TypeVar("_Item")
_WAITING = 4096  # headers; more than half a minute at the highest rates


class Published(NamedTuple):
    """One frame's header, in words."""

    header: FrameHeader
    stages: Stages


class ModeChange(NamedTuple):
    """The stream said another mode from ``at_ns``, CLOCK_BOOTTIME, on."""

    at_ns: int
    mode: Mode
    reasons: Reason


class Reader(Protocol):
    """Takes in what happened since the last time."""

    def read(self, frames: list[bytes], changes: list[ModeChange]) -> None:
        """Both in their order, headers as they were sent; called twice a second.

        ``published`` puts a header in words: of one after the other, for where this thread had to
        wait they are thousands.
        """


class Journal:
    """Hands headers and changes of the mode on, in a thread of its own; a context manager.

    What is published leaves a copy of its header behind, which costs a frame less than a
    microsecond; all else is done here.
    """

    def __init__(self, publisher: Publisher, readers: list[Reader]) -> None:
        self._readers = readers
        self._headers: deque[bytes] = deque(maxlen=_WAITING)
        self._changes: deque[ModeChange] = deque(maxlen=_WAITING)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
        if readers:
            publisher.trace = self._headers

    def note(self, mode_bits: int) -> None:
        """The mode word from now on; from any thread."""
        if self._readers:
            mode, reasons = Mode(mode_bits & 3), Reason(mode_bits & ~0xFF)
            self._changes.append(ModeChange(now_ns(), mode, reasons))

    def __enter__(self) -> Journal:
        if self._readers:
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join()
            self.turn()

    def turn(self) -> None:
        """Hand on what has come."""
        changes = _taken(self._changes)
        frames = _taken(self._headers)
        for reader in self._readers:
            try:
                reader.read(frames, changes)
            except Exception as error:  # of no frame's business
                _log.error("%s: %s: %s", type(reader).__name__, type(error).__name__, error)

    def _run(self) -> None:
        while not self._stop.wait(_EVERY_S):
            self.turn()


def published(data: bytes) -> Published:
    """A header that was sent."""
    return Published(decode_header(data), decode_stages(data))


def _taken(waiting: deque[_Item]) -> list[_Item]:
    return [waiting.popleft() for _ in range(len(waiting))]
