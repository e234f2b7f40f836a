"""A publisher that sends whatever a test wants."""

from __future__ import annotations

import array
import os
import socket
from collections.abc import Callable
from pathlib import Path

from message_parts import FRAME, WELCOME

from roadmask.stream import ring
from roadmask.stream.modes import MessageType
from roadmask.stream.protocol import FrameHeader, Welcome, encode
from roadmask.system.clock import now_ns

LAYOUT = ring.RingLayout((512, 256), True, (512, 256), 8)
Record = tuple[bytes, list[int]]
Sendable = Record | Callable[[], Record]


class HostilePublisher:
    """A socket that sends whatever a test wants to whoever connects."""

    def __init__(self, path: Path, layout: ring.RingLayout = LAYOUT) -> None:
        path.unlink(missing_ok=True)
        self._listening = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._listening.bind(str(path))
        self._listening.listen()
        self._listening.setblocking(False)
        self.kept: list[socket.socket] = []
        self.sealed, self.memory = ring.create(layout.ring_bytes)
        self.unsealed = os.memfd_create("unsealed", os.MFD_ALLOW_SEALING)
        os.ftruncate(self.unsealed, layout.ring_bytes)

    def serve(self, *messages: Record) -> None:
        """Send the messages to every connection that waits, and keep it."""
        while True:
            try:
                peer, _ = self._listening.accept()
            except BlockingIOError:
                return
            for data, descriptors in messages:
                control = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))]
                try:
                    peer.sendmsg([data], control if descriptors else [], socket.MSG_NOSIGNAL)
                except OSError:  # the client has seen enough
                    break
            self.kept.append(peer)

    def close(self) -> None:
        for closing in (self._listening, *self.kept):
            closing.close()
        os.close(self.sealed)
        os.close(self.unsealed)


def good_welcome(layout: ring.RingLayout = LAYOUT) -> Welcome:
    return WELCOME._replace(
        ring_bytes=layout.ring_bytes,
        slots_offset=layout.slots_offset,
        slot_bytes=layout.slot_bytes,
        slots=layout.slots,
        identity_offset=layout.identity_offset,
        time_namespace=ring.time_namespace(),
        sent_ns=now_ns(),
    )


def good_frame() -> FrameHeader:
    now = now_ns()
    return FRAME._replace(capture_ns=now, publish_ns=now, sent_ns=now)


def good_status() -> bytes:
    """A STATUS sent now, before the first frame."""
    about = {"type": MessageType.STATUS, "flag_bits": 0, "sequence": 41}
    return encode(good_frame()._replace(**about))
