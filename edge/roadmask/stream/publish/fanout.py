"""The publisher's subscribers: let in, sent to without blocking, dropped when gone or stuck."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Callable

from roadmask._native import send_each
from roadmask.stream import ring
from roadmask.stream.modes import Reason
from roadmask.stream.publish.listener import Listener

_SLOW_NS = 5_000_000_000
_SEND_FLAGS = socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL
# Some seconds of messages: a reader that polls that seldom still finds the newest frame. What an
# unread queue holds is old, and refused by age.
_SEND_BUFFER = 106_496


class Fanout:
    """Sends each message to every client; not thread-safe, the publisher's lock guards it."""

    def __init__(self, listener: Listener, ring_fd: int, max_clients: int) -> None:
        self._listener = listener
        self._ring_fd = ring_fd
        self._max_clients = max_clients
        self._clients: list[socket.socket] = []
        self._descriptors: list[int] = []  # of the clients, in their order
        self._blocked_since_ns: dict[int, int] = {}  # by descriptor
        self.dropped = 0

    @property
    def clients(self) -> int:
        """How many are connected, as far as is known."""
        return len(self._clients)

    def accept(
        self,
        welcome: Callable[[], bytes],
        refusal: Callable[[Reason], bytes],
        last_frame: bytes = b"",
    ) -> None:
        """Let in who waits: WELCOME with the ring's descriptor, or BYE with the reason.

        ``last_frame`` is a message that follows WELCOME at once.
        """
        while (peer := self._listener.accept()) is not None:
            try:
                reason = self._reason_against(peer)
                if reason:
                    peer.send(refusal(reason), _SEND_FLAGS)
                    peer.close()
                    continue
                self._welcome(peer, welcome())
                if last_frame:
                    peer.send(last_frame, _SEND_FLAGS)
            except OSError:
                peer.close()  # it left during the handshake
                continue
            self._clients.append(peer)
            self._descriptors.append(peer.fileno())

    def send(self, message: bytes | bytearray, now: int) -> int:
        """One message to all; a full queue drops it, five seconds of that drop the client.

        Returns:
            CLOCK_BOOTTIME when the last client's was handed to the kernel.
        """
        sent_ns, errors = send_each(message, self._descriptors)
        if errors is None:
            self._blocked_since_ns.clear()
            return sent_ns
        for client, error in zip(tuple(self._clients), errors, strict=True):
            if error == 0:
                self._blocked_since_ns.pop(client.fileno(), None)
            elif error == errno.EAGAIN:
                self.dropped += 1
                since_ns = self._blocked_since_ns.setdefault(client.fileno(), now)
                if now - since_ns > _SLOW_NS:
                    self._drop(client)
            else:
                self._drop(client)
        return sent_ns

    def close(self) -> None:
        """Hang up on all."""
        for client in tuple(self._clients):
            self._drop(client)

    def _drop(self, client: socket.socket) -> None:
        self._blocked_since_ns.pop(client.fileno(), None)
        self._descriptors.remove(client.fileno())
        self._clients.remove(client)
        client.close()

    def _reason_against(self, peer: socket.socket) -> Reason:
        if not self._listener.allows(peer):
            return Reason.NOT_ALLOWED
        if len(self._clients) >= self._max_clients:
            return Reason.TOO_MANY_CLIENTS
        return Reason.NONE

    def _welcome(self, peer: socket.socket, welcome: bytes) -> None:
        peer.shutdown(socket.SHUT_RD)  # clients never write: who tries gets EPIPE
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)
        fd = ring.open_read_only(self._ring_fd)
        try:
            socket.send_fds(peer, [welcome], [fd], _SEND_FLAGS)
        finally:
            os.close(fd)
