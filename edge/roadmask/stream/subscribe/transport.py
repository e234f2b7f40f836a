"""What a reader of masks asks of that which brings them."""

from __future__ import annotations

import select
import threading
from abc import ABC, abstractmethod

from roadmask._native import Policy, judge, judge_without_frame, process_id
from roadmask.errors import ProtocolError
from roadmask.stream.modes import NoMask
from roadmask.stream.protocol import MODEL, FrameHeader, Welcome, decode_header
from roadmask.stream.subscribe.mask import AnyPlanes, MappedRing, Planes
from roadmask.system.clock import now_ns

SILENCE_NS = 200_000_000


def silence_limit_ns(welcome: Welcome) -> int:
    """The longest time without a message: the publisher's own limit, never more than ours."""
    return min(SILENCE_NS, welcome.silence_ms * 1_000_000)


class Stream(ABC):
    """A stream: of a socket (``connection``), or of a bridge (``remotestream``).

    Messages stay bytes until somebody asks: to make the header's fifty Python objects costs as
    much as half of a mask's copy.

    Attributes:
        ring: what the frames refer to, None while there is no stream.
        frame_bytes: newest FRAME of this stream, None before the first.
        status_bytes: newest FRAME or STATUS.
        silence_ns: the longest time without a message that is borne.
        reason: NONE while a stream is up, else why there is none.
        error: the check that failed, if ``reason`` is MALFORMED.
        ended: for good: closed, or lost without reconnect.
        lock: held by whoever reads or changes these, never while something is waited for.
        owner: the process that the stream belongs to, 0 while it is nobody's.
    """

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.owner = 0
        self.ring: MappedRing | None = None
        self.frame_bytes: bytes | None = None
        self.status_bytes: bytes | None = None
        self.silence_ns = 0
        self.reason = NoMask.NOT_CONNECTED
        self.detail = ""
        self.error: ProtocolError | None = None
        self.ended = False

    @property
    def frame(self) -> FrameHeader | None:
        """The newest FRAME's values."""
        return None if self.frame_bytes is None else decode_header(self.frame_bytes)

    @property
    def status(self) -> FrameHeader | None:
        """The newest FRAME's or STATUS's values."""
        return None if self.status_bytes is None else decode_header(self.status_bytes)

    def past(self) -> list[bytes]:
        """The FRAMEs that may still be read, the oldest first; the caller holds the lock."""
        return [] if self.frame_bytes is None else [self.frame_bytes]

    def judge(self, policy: Policy, limit_ns: int) -> NoMask:
        """Why the newest frame may not be used now; NONE: it may."""
        if self.ring is None:
            return self.reason
        now = now_ns()
        if self.frame_bytes is None or self.status_bytes is None:
            said = self.status or self.ring.welcome
            return NoMask(judge_without_frame(said.sent_ns, self.silence_ns, now))
        model = self.ring.entry(self.frame_bytes[MODEL])
        frame, status = self.frame_bytes, self.status_bytes
        return NoMask(judge(frame, status, model, policy, limit_ns, self.silence_ns, now))

    def check_fork(self) -> None:
        """Leave the stream to the parent, in a fork: half of its messages would come here."""
        if self.owner and self.owner != process_id():
            self.lock = threading.RLock()  # the old one may be held by a thread that is not here
            self._leave_to_parent()
            self.owner = 0
            self.ended = True

    @abstractmethod
    def _leave_to_parent(self) -> None:
        """Let go without a word to the publisher; ``reason`` is FORKED."""

    def fetch(
        self, handed: bytes, policy: Policy, limit_ns: int, preview: bool
    ) -> AnyPlanes | None:
        """``pump``; and the newest frame's planes, if that is not ``handed`` and may be used.

        None says nothing about why. The caller holds the lock.
        """
        self.pump()
        return None

    @abstractmethod
    def take(self, frame: bytes, policy: Policy, limit_ns: int, preview: bool) -> Planes | NoMask:
        """Copies of the planes of ``frame`` if it may be used, before and after; or why not."""

    @abstractmethod
    def pump(self, wait_ns: int = 0) -> None:
        """Take in what has come; wait up to ``wait_ns`` for something, if nothing has."""

    @abstractmethod
    def wait_ns(self) -> int:
        """How long nothing can happen that ``fileno`` does not tell."""

    @abstractmethod
    def fileno(self) -> int:
        """Readable when something came; -1 while there is nothing to wait for."""

    def await_news(self, wait_ns: int) -> None:
        """Sleep until ``fileno`` is readable, ``wait_ns`` at most."""
        if wait_ns <= 0:
            return
        poll = select.poll()
        if self.fileno() >= 0:
            poll.register(self.fileno(), select.POLLIN)
        poll.poll(wait_ns / 1e6)

    @abstractmethod
    def close(self) -> None:
        """Leave for good."""
