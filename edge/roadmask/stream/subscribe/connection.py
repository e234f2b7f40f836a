"""One connection to a publisher: handshake, messages drained to the newest, why it ended.

Never raises for what a publisher does: ``pump`` moves it on as far as it goes, ``reason`` says
where it stands.
"""

from __future__ import annotations

import array
import os
import socket
from pathlib import Path

from roadmask._native import (
    INBOX_BYE,
    INBOX_CLOSED,
    INBOX_FRAME,
    INBOX_MALFORMED,
    INBOX_MORE,
    INBOX_STATUS,
    Inbox,
    Policy,
    foreign_publisher,
    unusable_path,
)
from roadmask.errors import ProtocolError
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
from roadmask.stream.subscribe.mask import MappedRing, Planes
from roadmask.stream.subscribe.transport import Stream, silence_limit_ns
from roadmask.system.clock import now_ns

RETRY_NS = 20_000_000
_WELCOME_WAIT_NS = 1_000_000_000
_DESCRIPTORS = 4  # room for more than the one that is due, so that a surplus is seen
_RECEIVE_FLAGS = socket.MSG_DONTWAIT | socket.MSG_CMSG_CLOEXEC
_NEWS = INBOX_FRAME | INBOX_STATUS


class Connection(Stream):
    """The stream at ``path``, renewed after each loss unless ``reconnect`` is False."""

    _MESSAGES_AT_ONCE = 0  # all that wait

    def __init__(self, path: str | Path, reconnect: bool, publisher_user: str = "") -> None:
        super().__init__()
        self.path = str(path)
        self.publisher_user = publisher_user  # see ``Policy``
        self.reconnect = reconnect
        self._socket: socket.socket | None = None
        self._since_ns = 0
        self._retry_ns = 0
        self._inbox: Inbox | None = None

    def fileno(self) -> int:
        """The connection's descriptor, -1 while there is none; it changes with each reconnect."""
        return self._socket.fileno() if self._socket else -1

    def pump(self, wait_ns: int = 0) -> None:
        """Connect if it is time to, and read every message that is waiting."""
        if self.ring is None:
            self.await_news(wait_ns)
            wait_ns = 0
        try:
            if self._socket is None and not self.ended:
                self._connect()
            if self._socket is None:
                return
            if self.ring is None and not self._shake_hands():
                return
            while self._read(wait_ns):
                wait_ns = 0
        except ProtocolError as error:
            self.error = error
            self._lose(NoMask.MALFORMED, str(error))
        except OSError as error:  # ECONNRESET: it ended with our handshake unread
            self._lose(NoMask.CONNECTION_LOST, error.strerror or str(error))

    def wait_ns(self) -> int:
        """How long nothing can happen here that ``fileno`` does not tell, in ns."""
        if self._socket is None:
            return max(0, self._retry_ns - now_ns())
        if self.ring is None:
            return max(0, self._since_ns + _WELCOME_WAIT_NS - now_ns())
        return 3_600_000_000_000

    def take(self, policy: Policy, limit_ns: int, preview: bool) -> Planes | NoMask:
        """Copies of the newest frame's planes if it may be used, before and after; or why not."""
        assert self._inbox is not None and self.ring is not None
        taken = self._inbox.take(self.ring.memory, preview, policy, limit_ns, self.silence_ns)
        return NoMask(taken) if isinstance(taken, int) else Planes._make(taken)

    def close(self) -> None:
        """Leave the stream for good."""
        self._lose(NoMask.CLOSED, "closed by this process")
        self.ended = True

    def _heard(self, message: Message, data: bytes) -> None:
        """Every message that passed its checks, in order, if ``_MESSAGES_AT_ONCE`` is 1.

        For who keeps more than the newest. It must not raise: all else here would end the stream.
        """

    def _connect(self) -> None:
        now = now_ns()
        if now < self._retry_ns:
            return
        self._retry_ns = now + RETRY_NS
        if wrong := unusable_path(os.fsencode(self.path)):
            raise ProtocolError("socket", wrong)
        connecting = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        connecting.setblocking(False)
        try:
            connecting.connect(self.path)
        except OSError as error:
            connecting.close()
            self.error = None
            if isinstance(error, PermissionError):
                self.reason = NoMask.NOT_PERMITTED
            elif isinstance(error, (FileNotFoundError, ConnectionRefusedError, BlockingIOError)):
                self.reason = NoMask.NOT_CONNECTED
            else:  # EPROTOTYPE: a stream or datagram socket; ENAMETOOLONG; ENOTDIR
                self.reason = NoMask.MALFORMED
                self.error = ProtocolError(
                    "socket", f"{self.path} is no SEQPACKET socket: {error.strerror or error}"
                )
            self.detail = error.strerror or str(error)
            self.ended = not self.reconnect
            return
        self._socket = connecting
        self._since_ns = now
        self.reason, self.detail = NoMask.AWAITING_WELCOME, ""
        foreign = foreign_publisher(
            connecting.fileno(), os.fsencode(self.path), self.publisher_user
        )
        if foreign:
            self._lose(NoMask.FOREIGN_PUBLISHER, foreign)

    def _shake_hands(self) -> bool:
        assert self._socket is not None
        try:
            data, ancillary, _, _ = self._socket.recvmsg(
                MAX_MESSAGE_BYTES, socket.CMSG_SPACE(4 * _DESCRIPTORS), _RECEIVE_FLAGS
            )
        except BlockingIOError:
            if now_ns() - self._since_ns > _WELCOME_WAIT_NS:
                raise ProtocolError("welcome", "connected, but no WELCOME within 1 s") from None
            return False
        descriptors = array.array("i")
        for level, kind, payload in ancillary:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                descriptors.frombytes(payload[: len(payload) // 4 * 4])
        try:
            if not data:
                self._lose(NoMask.CONNECTION_LOST, "closed before WELCOME")
                return False
            message = decode(data)
            if isinstance(message, FrameHeader) and message.type == MessageType.BYE:
                self._end(message)
                return False
            if not isinstance(message, Welcome):
                raise ProtocolError("welcome", "the first message is no WELCOME")
            if len(descriptors) != 1:
                raise ProtocolError("descriptor", f"{len(descriptors)} descriptors, expected 1")
            self._open(message, descriptors[0])
            self._inbox = Inbox(data)
            self._heard(message, data)
        finally:
            for fd in descriptors:
                os.close(fd)
        return True

    def _open(self, welcome: Welcome, fd: int) -> None:
        check_welcome(welcome, ring.checked_size(fd))
        here = ring.time_namespace()
        if welcome.time_namespace and here and welcome.time_namespace != here:
            raise ProtocolError(
                "clock",
                "the publisher lives in another time namespace: its CLOCK_BOOTTIME is not ours",
            )
        try:
            memory = ring.map_read_only(fd, welcome.ring_bytes)
        except (OSError, ValueError) as error:
            raise ProtocolError("ring_size", f"the ring cannot be mapped: {error}") from error
        self.ring = MappedRing(memory, welcome)
        self.silence_ns = silence_limit_ns(welcome)
        self.reason, self.detail, self.error = NoMask.NONE, "", None

    def _read(self, wait_ns: int) -> bool:
        """Take in what waits; True if more may."""
        if self._socket is None or self._inbox is None or self.ring is None:
            return False
        found = self._inbox.read(self._socket.fileno(), self._MESSAGES_AT_ONCE, wait_ns)
        if found & INBOX_FRAME:
            self.frame_bytes = self.status_bytes = self._inbox.frame
        if found == INBOX_FRAME and not self._MESSAGES_AT_ONCE:
            return False  # as nearly always
        if found & INBOX_STATUS:
            self.status_bytes = self._inbox.status
        if found & (_NEWS | INBOX_BYE) and self._MESSAGES_AT_ONCE == 1:
            self._heard(decode_header(self._inbox.message), self._inbox.message)
        if found & INBOX_BYE:
            self._end(decode_header(self._inbox.message))
        elif found & INBOX_CLOSED:
            self._lose(NoMask.CONNECTION_LOST, "the publisher is gone")
        elif found & INBOX_MALFORMED:
            _explain(self._inbox, self.ring.welcome)
        return bool(found & INBOX_MORE)

    def _end(self, bye: FrameHeader) -> None:
        if bye.reasons & Reason.NOT_ALLOWED:
            self._lose(NoMask.NOT_PERMITTED, "refused by the publisher's allow-list")
        elif bye.reasons & Reason.TOO_MANY_CLIENTS:
            self._lose(NoMask.NOT_PERMITTED, "the publisher has as many clients as it takes")
        else:
            self._lose(NoMask.CLOSED, "the publisher said BYE")

    def _lose(self, reason: NoMask, detail: str) -> None:
        if self._socket is not None:
            self._socket.close()
        self._socket = None
        self.ring = None  # unmapped when no view is left
        self.frame_bytes = self.status_bytes = None
        self._inbox = None
        self.reason, self.detail = reason, detail
        self._retry_ns = now_ns() + RETRY_NS
        self.ended = self.ended or not self.reconnect


def _explain(inbox: Inbox, welcome: Welcome) -> None:
    """Raise what is wrong with the last message: the same checks again, with numbers."""
    message = decode(inbox.message)
    if isinstance(message, FrameHeader):
        check_message(message, welcome, inbox.last_sequence, now_ns())
        if message.type == MessageType.FRAME:
            check_frame(message, welcome, inbox.last_sequence)
    raise ProtocolError(inbox.check, f"check {inbox.check} failed")
