"""The publisher's subscribers: sent to without blocking, dropped when gone or stuck."""

from __future__ import annotations

import errno
import socket

from roadmask._native import send_each
from roadmask.stream.publish.access import Guest

_SLOW_NS = 5_000_000_000
_SEND_FLAGS = socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL


class Fanout:
    """Sends each message to every client; not thread-safe, the publisher's lock guards it."""

    def __init__(self) -> None:
        self._clients: list[socket.socket] = []
        self._guests: list[Guest] = []  # the clients, in their order
        self._descriptors: list[int] = []  # of the clients, in their order
        self._blocked_since_ns: dict[int, int] = {}  # by descriptor
        self.dropped = 0

    @property
    def clients(self) -> int:
        """How many are connected, as far as is known."""
        return len(self._clients)

    @property
    def guests(self) -> list[Guest]:
        """Who they are."""
        return list(self._guests)

    def add(self, client: socket.socket, guest: Guest, welcome: bytes, ring_fd: int) -> None:
        """Send WELCOME with a descriptor of the ring; from now on it gets each message.

        Raises:
            OSError: it left meanwhile.
        """
        socket.send_fds(client, [welcome], [ring_fd], _SEND_FLAGS)
        self._clients.append(client)
        self._guests.append(guest)
        self._descriptors.append(client.fileno())

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
        index = self._clients.index(client)
        for per_client in (self._clients, self._guests, self._descriptors):
            del per_client[index]
        client.close()
