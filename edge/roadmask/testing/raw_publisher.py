"""A socket that sends whatever a test wants, to whoever connects: what no daemon would."""

from __future__ import annotations

import array
import os
import socket
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from roadmask.stream import ring
from roadmask.stream.modes import Flag, MessageType, Mode
from roadmask.stream.protocol import FrameHeader, Welcome, decode, decode_header
from roadmask.stream.publish.messages import StreamMessages
from roadmask.system.clock import now_ns

LAYOUT = ring.RingLayout((512, 256), True, (512, 256), 8)
STREAM_ID = 0x1122334455667788
FIRST = 42  # sequence of the first frame
Record = tuple[bytes, Sequence[int]]  # a message, and the descriptors that go with it
Sendable = Record | Callable[[], Record]

_MAX_AGE_MS, _PERIOD_NS = 250, 33_333_333
_SEND_FLAGS = socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL


class RawPublisher:
    """Listens at ``path``, whatever was there; a context manager.

    Attributes:
        kept: the connections that were served.
        sent: how often ``send`` was called.
        sealed, memory: a ring as a daemon has it: its descriptor, its bytes.
        unsealed: a descriptor of a ring that lacks the seals.

    Raises:
        OSError: the socket cannot be made.
    """

    def __init__(self, path: str | Path, layout: ring.RingLayout = LAYOUT) -> None:
        self.path = Path(path)
        self.path.unlink(missing_ok=True)
        self._listening = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._listening.bind(str(path))
        self._listening.listen()
        self._listening.setblocking(False)
        self.kept: list[socket.socket] = []
        self.sent = 0
        self.sealed, self.memory = ring.create(layout.ring_bytes)
        self.unsealed = os.memfd_create("unsealed", os.MFD_ALLOW_SEALING)
        os.ftruncate(self.unsealed, layout.ring_bytes)

    def __enter__(self) -> RawPublisher:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def serve(self, *records: Record) -> None:
        """Send the records to every connection that waits, and keep it."""
        while True:
            try:
                peer, _ = self._listening.accept()
            except BlockingIOError:
                return
            for data, descriptors in records:
                control = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))]
                try:
                    peer.sendmsg([data], control if descriptors else [], socket.MSG_NOSIGNAL)
                except OSError:  # the client has seen enough
                    break
            self.kept.append(peer)

    def send(self, data: bytes) -> bool:
        """To every connection that is kept; those that are gone are kept no longer.

        Returns:
            Whether there was room for it everywhere.
        """
        self.sent += 1
        room = True
        for peer in tuple(self.kept):
            try:
                peer.send(data, _SEND_FLAGS)
            except BlockingIOError:
                room = False
            except OSError:
                peer.close()
                self.kept.remove(peer)
        return room

    def hang_up(self) -> None:
        """Close every connection, without a word."""
        while self.kept:
            self.kept.pop().close()

    def close(self) -> None:
        """Hang up on all, and remove the socket."""
        self.hang_up()
        self._listening.close()
        os.close(self.sealed)
        os.close(self.unsealed)
        self.path.unlink(missing_ok=True)


def good_welcome(layout: ring.RingLayout = LAYOUT, **changes: Any) -> Welcome:
    """A WELCOME sent now, to a ring of ``layout``; but for the ``changes`` nothing is wrong."""
    welcome = decode(_messages(layout).welcome(FIRST - 1))
    assert isinstance(welcome, Welcome)
    return welcome._replace(**changes)


def good_frame(layout: ring.RingLayout = LAYOUT, **changes: Any) -> FrameHeader:
    """The first FRAME, captured and sent now; its slot's generation is the caller's affair."""
    now = now_ns()
    frame = decode_header(_messages(layout).frame(1))
    return frame._replace(
        flag_bits=frame.flag_bits | Flag.DRIVER_TIME,
        sequence=FIRST,
        capture_ns=now,
        publish_ns=now,
        sent_ns=now,
        scale_x=2.5,
        scale_y=2.5,
        camera_width=1280,
        camera_height=720,
    )._replace(**changes)


def good_status(**changes: Any) -> FrameHeader:
    """A STATUS sent now, before the first frame."""
    now = now_ns()
    about = {"type": MessageType.STATUS, "sequence": FIRST - 1, "stream_id": STREAM_ID}
    nothing = FrameHeader._make((0,) * len(FrameHeader._fields))
    like = good_frame()
    return nothing._replace(
        magic=like.magic,
        length=like.length,
        major=like.major,
        minor=like.minor,
        max_age_ms=_MAX_AGE_MS,
        mode_bits=Mode.OK,
        sent_ns=now,
    )._replace(**{**about, **changes})


def _messages(layout: ring.RingLayout) -> StreamMessages:
    return StreamMessages(layout, STREAM_ID, _MAX_AGE_MS, _PERIOD_NS)
