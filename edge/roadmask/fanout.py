"""The publisher's subscribers: let in, sent to without blocking, dropped when gone or stuck."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from dataclasses import dataclass

from roadmask import ring
from roadmask.listener import Listener
from roadmask.modes import Reason

_SLOW_NS = 5_000_000_000
_SEND_FLAGS = socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL
# Some seconds of messages: a reader that polls that seldom still finds the newest frame. What an
# unread queue holds is old, and refused by age.
_SEND_BUFFER = 106_496


@dataclass
class _Client:
    socket: socket.socket
    blocked_since_ns: int = 0


class Fanout:
    """Sends each message to every client; not thread-safe, the publisher's lock guards it."""

    def __init__(self, listener: Listener, ring_fd: int, max_clients: int) -> None:
        self._listener = listener
        self._ring_fd = ring_fd
        self._max_clients = max_clients
        self._clients: list[_Client] = []
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
            self._clients.append(_Client(peer))

    def send(self, message: bytes | bytearray, now: int) -> None:
        """One message to all; a full queue drops it, five seconds of that drop the client."""
        gone = []
        for client in self._clients:
            try:
                client.socket.send(message, _SEND_FLAGS)
                client.blocked_since_ns = 0
            except BlockingIOError:
                self.dropped += 1
                if not client.blocked_since_ns:
                    client.blocked_since_ns = now
                elif now - client.blocked_since_ns > _SLOW_NS:
                    gone.append(client)
            except OSError:
                gone.append(client)
        for client in gone:
            client.socket.close()
            self._clients.remove(client)

    def close(self) -> None:
        """Hang up on all."""
        for client in self._clients:
            client.socket.close()
        self._clients.clear()

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
