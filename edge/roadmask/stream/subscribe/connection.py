"""One connection to a publisher: handshake, messages drained to the newest, why it ended.

Never raises for what a publisher does: ``pump`` moves it on as far as it goes, ``reason`` says
where it stands.
"""

from __future__ import annotations

import array
import contextlib
import os
import socket
from pathlib import Path

from roadmask._native import (
    INBOX_BYE,
    INBOX_CLOSED,
    INBOX_FRAME,
    INBOX_MALFORMED,
    INBOX_MORE,
    INBOX_MOST,
    INBOX_STATUS,
    Inbox,
    Policy,
    foreign_publisher,
    process_id,
)
from roadmask.errors import Check, ProtocolError
from roadmask.stream import ring
from roadmask.stream.checks import check_frame, check_message, check_welcome
from roadmask.stream.modes import MessageType, NoMask, Reason
from roadmask.stream.protocol import (
    MAX_MESSAGE_BYTES,
    FrameHeader,
    Message,
    Welcome,
    decode,
    decode_header,
)
from roadmask.stream.subscribe.dialling import dial, refusal
from roadmask.stream.subscribe.mask import AnyPlanes, MappedRing, Planes
from roadmask.stream.subscribe.transport import Stream, silence_limit_ns
from roadmask.system.clock import now_ns

RETRY_NS = 20_000_000
MAX_RING_BYTES = 256 << 20
_FRAMES_IN_RING = 8  # as many slots as a publisher's has: what one frame may have of it
_WELCOME_WAIT_NS = 1_000_000_000
_DESCRIPTORS = 4  # room for more than the one that is due, so that a surplus is seen
_RECEIVE_FLAGS = socket.MSG_DONTWAIT | socket.MSG_CMSG_CLOEXEC
_NEWS = INBOX_FRAME | INBOX_STATUS


class Connection(Stream):
    """The stream at ``path``, renewed after each loss unless ``reconnect`` is False.

    Rings of more than ``max_ring_bytes`` are refused, and frames whose planes have more than an
    eighth of it.
    """

    _MESSAGES_AT_ONCE = 0  # all that wait

    def __init__(
        self,
        path: str | Path,
        reconnect: bool,
        publisher_user: str = "",
        max_ring_bytes: int = MAX_RING_BYTES,
    ) -> None:
        super().__init__()
        self.path = str(path)
        self.publisher_user = publisher_user  # see ``Policy``
        self.reconnect = reconnect
        self.max_ring_bytes = max_ring_bytes
        self._socket: socket.socket | None = None
        self._since_ns = 0
        self._retry_ns = 0
        self._inbox: Inbox | None = None

    def fileno(self) -> int:
        """The connection's descriptor, -1 while there is none; it changes with each reconnect."""
        connected = self._socket
        return connected.fileno() if connected else -1

    def pump(self, wait_ns: int = 0) -> None:
        """Connect if it is time to, and read what waits: INBOX_MOST messages at most."""
        self.await_news(wait_ns)
        with self.lock:
            if self._inbox is None:
                self._approach()
            most = self._MESSAGES_AT_ONCE
            for _ in range(INBOX_MOST if most else 1):
                if (inbox := self._inbox) is None:
                    return
                found = inbox.read(self.fileno(), most)
                self._settle(inbox, found)
                if not found & INBOX_MORE:
                    return

    def fetch(
        self, handed: bytes, policy: Policy, limit_ns: int, preview: bool
    ) -> AnyPlanes | None:
        """``pump``, and ``take`` of the newest frame in the same call: that is nearly always all.

        A frame's way through a waking interpreter is a third of its latency.
        """
        inbox, fd = self._inbox, self.fileno()
        if inbox is None or self._MESSAGES_AT_ONCE:
            self.pump()
            return None
        try:
            fetched = inbox.fetch(fd, handed, preview, policy, limit_ns, self.silence_ns)
        except MemoryError:
            return None
        if isinstance(fetched, int):
            self._settle(inbox, fetched)
            return None
        self.frame_bytes, self.status_bytes, planes = fetched
        return planes

    def await_news(self, wait_ns: int) -> None:
        """Sleep until ``fileno`` is readable, or a signal comes, ``wait_ns`` at most."""
        inbox = self._inbox
        if inbox is None:
            super().await_news(wait_ns)
        elif wait_ns > 0:
            inbox.wait(self.fileno(), wait_ns)

    def wait_ns(self) -> int:
        """How long nothing can happen here that ``fileno`` does not tell, in ns."""
        if self._socket is None:
            return max(0, self._retry_ns - now_ns())
        if self.ring is None:
            return max(0, self._since_ns + _WELCOME_WAIT_NS - now_ns())
        return 3_600_000_000_000

    def take(self, frame: bytes, policy: Policy, limit_ns: int, preview: bool) -> Planes | NoMask:
        """Copies of the planes of ``frame`` if it may be used, before and after; or why not."""
        inbox = self._inbox
        if inbox is None:
            return self.reason
        try:
            taken = inbox.take(frame, preview, policy, limit_ns, self.silence_ns)
        except MemoryError:
            return NoMask.NO_MEMORY
        return NoMask(taken) if isinstance(taken, int) else Planes._make(taken)

    def past(self) -> list[bytes]:
        """See ``Stream``: those whose slots may still hold them."""
        return [] if self._inbox is None else self._inbox.past

    def close(self) -> None:
        """Leave the stream for good; who waits in another thread is woken."""
        with self.lock:
            self._lose(NoMask.CLOSED, "closed by this process")
            self.ended = True

    def _heard(self, message: Message, data: bytes) -> None:
        """Every message that passed its checks, in order, if ``_MESSAGES_AT_ONCE`` is 1.

        For who keeps more than the newest. It must not raise: all else here would end the stream.
        """

    def _fail(self, error: ProtocolError | OSError) -> None:
        """End the stream for what the publisher did wrong."""
        if isinstance(error, ProtocolError):
            self.error = error
            self._lose(NoMask.MALFORMED, str(error))
        else:  # ECONNRESET: it ended with our handshake unread
            self._lose(NoMask.CONNECTION_LOST, error.strerror or str(error))

    def _approach(self) -> None:
        try:
            if self._socket is None and not self.ended:
                self._connect()
            if self._socket is not None and self._inbox is None:
                self._shake_hands()
        except (ProtocolError, OSError) as error:
            self._fail(error)

    def _connect(self) -> None:
        now = now_ns()
        if now < self._retry_ns:
            return
        self._retry_ns = now + RETRY_NS
        try:
            connecting = dial(self.path)
        except OSError as error:
            self.reason, self.detail, self.error = refusal(self.path, error)
            self.ended = not self.reconnect
            return
        self._socket = connecting
        self.owner = process_id()
        self._since_ns = now
        self.reason, self.detail = NoMask.AWAITING_WELCOME, ""
        foreign = foreign_publisher(
            connecting.fileno(), os.fsencode(self.path), self.publisher_user
        )
        if foreign:
            self._lose(NoMask.FOREIGN_PUBLISHER, foreign)

    def _shake_hands(self) -> None:
        assert self._socket is not None
        try:
            data, ancillary, _, _ = self._socket.recvmsg(
                MAX_MESSAGE_BYTES, socket.CMSG_SPACE(4 * _DESCRIPTORS), _RECEIVE_FLAGS
            )
        except BlockingIOError:
            if now_ns() - self._since_ns > _WELCOME_WAIT_NS:
                self._lose(NoMask.SILENT, "connected, but no WELCOME within 1 s")
            return
        descriptors = array.array("i")
        for level, kind, payload in ancillary:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                descriptors.frombytes(payload[: len(payload) // 4 * 4])
        try:
            if not data:
                self._lose(NoMask.CONNECTION_LOST, "closed before WELCOME")
                return
            message = decode(data)
            if isinstance(message, FrameHeader) and message.type == MessageType.BYE:
                self._end(message)
                return
            if not isinstance(message, Welcome):
                raise ProtocolError(Check.WELCOME, "the first message is no WELCOME")
            if len(descriptors) != 1:
                raise ProtocolError(Check.DESCRIPTOR, f"{len(descriptors)} descriptors, expected 1")
            if (opened := self._open(message, descriptors[0])) is not None:
                most = self.max_ring_bytes // _FRAMES_IN_RING
                self._inbox = Inbox(data, most, opened.memory)
                self._heard(message, data)
        finally:
            for fd in descriptors:
                os.close(fd)

    def _open(self, welcome: Welcome, fd: int) -> MappedRing | None:
        check_welcome(welcome, ring.checked_size(fd))
        ring.check_memory(fd, welcome.ring_bytes, self.max_ring_bytes)
        here = ring.time_namespace()
        if welcome.time_namespace and here and welcome.time_namespace != here:
            raise ProtocolError(
                Check.CLOCK,
                "the publisher lives in another time namespace: its CLOCK_BOOTTIME is not ours",
            )
        try:
            memory = ring.map_read_only(fd, welcome.ring_bytes)
        except OSError:
            self._lose(NoMask.NO_MEMORY, "for the ring")
            return None
        self.ring = MappedRing(memory, welcome)
        self.silence_ns = silence_limit_ns(welcome)
        self.reason, self.detail, self.error = NoMask.NONE, "", None
        return self.ring

    def _settle(self, inbox: Inbox, found: int) -> None:
        if found & INBOX_FRAME:
            self.frame_bytes = self.status_bytes = inbox.frame
        if found & INBOX_STATUS:
            self.status_bytes = inbox.status
        if found & (_NEWS | INBOX_BYE) and self._MESSAGES_AT_ONCE == 1:
            self._heard(decode_header(inbox.message), inbox.message)
        if found & INBOX_BYE:
            self._end(decode_header(inbox.message))
        elif found & INBOX_CLOSED:
            gone = os.strerror(inbox.error) if inbox.error else "the publisher is gone"
            self._lose(NoMask.CONNECTION_LOST, gone)
        elif found & INBOX_MALFORMED and self.ring is not None:
            most = self.max_ring_bytes // _FRAMES_IN_RING
            self._fail(_explained(inbox, self.ring.welcome, most))

    def _end(self, bye: FrameHeader) -> None:
        if bye.reasons & Reason.NOT_ALLOWED:
            self._lose(NoMask.NOT_PERMITTED, "refused by the publisher's allow-list")
        elif bye.reasons & Reason.TOO_MANY_CLIENTS:
            self._lose(
                NoMask.NO_PLACE, "it has as many clients as it takes, in all or of this user"
            )
        else:
            self._lose(NoMask.CLOSED, "the publisher said BYE")

    def _leave_to_parent(self) -> None:
        self._lose(NoMask.FORKED, "open one here")

    def _lose(self, reason: NoMask, detail: str) -> None:
        if self._inbox is not None:
            self._inbox.close()
        if self._socket is not None:
            # Wakes who waits at it in another thread; in a fork it would end the parent's stream.
            if self.owner == process_id():
                with contextlib.suppress(OSError):
                    self._socket.shutdown(socket.SHUT_RDWR)
            self._socket.close()
        self._socket = None
        self.owner = 0
        self.ring = None  # unmapped when no view is left
        self.frame_bytes = self.status_bytes = None
        self._inbox = None
        self.reason, self.detail = reason, detail
        self._retry_ns = now_ns() + RETRY_NS
        self.ended = self.ended or not self.reconnect


def _explained(inbox: Inbox, welcome: Welcome, most_bytes: int) -> ProtocolError:
    """What is wrong with the last message: the same checks again, with numbers."""
    try:
        message = decode(inbox.message)
        if isinstance(message, FrameHeader):
            check_message(message, welcome, inbox.last_sequence, now_ns())
            if message.type == MessageType.FRAME:
                check_frame(message, welcome, inbox.last_sequence)
    except ProtocolError as error:
        return error
    check = Check(inbox.check)
    if check is Check.MASK_SIZE:
        return ProtocolError(check, f"a frame of more than {most_bytes} bytes: see max_ring_bytes")
    return ProtocolError(check, f"check {check} failed")
