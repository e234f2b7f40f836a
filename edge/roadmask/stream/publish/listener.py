"""Lets subscribers in: a few at a time, each asked who it is, none for longer than a moment."""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import socket
from collections.abc import Callable, Collection
from pathlib import Path

from roadmask._native import accept_living, readable
from roadmask.stream import ring
from roadmask.stream.modes import Reason
from roadmask.stream.publish.access import Access, AllowList, Guest
from roadmask.stream.publish.socket_file import SocketFile
from roadmask.system.clock import now_ns

_log = logging.getLogger(__name__)

# Asked who they are, and welcomed or refused, before the publisher goes on: at a heartbeat; at a
# frame, which is not for the door.
PER_TURN, PER_FRAME = 4, 2
_DISCARDED = 16  # of those that hung up before, for each of them
_REPEAT_NS = 60_000_000_000  # between two lines about the same want
_SEND_FLAGS = socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL
_NO_DESCRIPTOR = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
# Some seconds of messages: a reader that polls that seldom still finds the newest frame. What an
# unread queue holds is old, and refused by age.
_SEND_BUFFER = 106_496


class Listener:
    """The stream's door; used by one thread at a time.

    Args:
        path: see ``SocketFile``.
        access: who may come in, and how many.

    Raises:
        PublishError: see ``SocketFile``; unknown names.
    """

    def __init__(self, path: str | Path, access: Access) -> None:
        self._allowed = AllowList(access)
        self.files = SocketFile(path, access, self._allowed)
        self._spare: int | None = None  # given up to refuse one when there is no other descriptor
        self._complained_ns = 0
        self._keep_spare()

    @property
    def waiting(self) -> bool:
        """Somebody waits to be let in: a fiftieth of the price of an ``accept`` that finds none."""
        return readable(self.files.socket.fileno())

    def turn(
        self,
        ring_fd: int,
        present: Callable[[], Collection[Guest]],
        welcome: Callable[[socket.socket, Guest, int], None],
        refusal: Callable[[Reason], bytes],
        most: int = PER_TURN,
    ) -> None:
        """Let in who waits, ``most`` of them: whoever floods the door waits with the rest.

        Args:
            ring_fd: the ring, of which each newcomer gets a descriptor of its own.
            present: who has a place.
            welcome: gives a newcomer its place, with the descriptor, which is closed afterwards.
            refusal: the BYE with the reason.
            most: how many are asked who they are.
        """
        for _ in range(most):
            descriptor = accept_living(self.files.socket.fileno(), _DISCARDED)
            if -descriptor in _NO_DESCRIPTOR:
                self._refuse_for_want(-descriptor, refusal)
                return
            if descriptor < 0:  # nobody waits
                return
            peer = socket.socket(fileno=descriptor)
            try:
                if not self._receive(peer, ring_fd, present, welcome, refusal):
                    peer.close()
            except OSError:  # it left during the handshake
                peer.close()

    def close(self) -> None:
        """Remove the files. Safe to call twice."""
        self.files.close()
        if self._spare is not None:
            os.close(self._spare)
            self._spare = None

    def _receive(
        self,
        peer: socket.socket,
        ring_fd: int,
        present: Callable[[], Collection[Guest]],
        welcome: Callable[[socket.socket, Guest, int], None],
        refusal: Callable[[Reason], bytes],
    ) -> bool:
        guest = self._allowed.look_at(peer)
        reason = self._allowed.reason_against(guest, present())
        if reason:
            peer.send(refusal(reason), _SEND_FLAGS)
            return False
        peer.shutdown(socket.SHUT_RD)  # clients never write: who tries gets EPIPE
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)
        try:
            fd = ring.open_read_only(ring_fd)
        except OSError as error:
            self._complain(error.errno or 0)
            peer.send(refusal(Reason.TOO_MANY_CLIENTS), _SEND_FLAGS)
            return False
        try:
            welcome(peer, guest, fd)
        finally:
            os.close(fd)
        return True

    def _refuse_for_want(self, error: int, refusal: Callable[[Reason], bytes]) -> None:
        """Tell one of those who wait that there is no room, with the descriptor kept for that."""
        self._complain(error)
        if self._spare is not None:
            os.close(self._spare)
            self._spare = None
            descriptor = accept_living(self.files.socket.fileno(), _DISCARDED)
            if descriptor >= 0:
                with socket.socket(fileno=descriptor) as peer, contextlib.suppress(OSError):
                    peer.send(refusal(Reason.TOO_MANY_CLIENTS), _SEND_FLAGS)
        self._keep_spare()

    def _keep_spare(self) -> None:
        if self._spare is None:
            with contextlib.suppress(OSError):  # the next turn tries again
                self._spare = os.open("/dev/null", os.O_RDONLY | os.O_CLOEXEC)

    def _complain(self, error: int) -> None:
        now = now_ns()
        if not self._complained_ns or now - self._complained_ns > _REPEAT_NS:
            self._complained_ns = now
            remedy = "raise the limit of open files (ulimit -n, LimitNOFILE=)"
            if error not in _NO_DESCRIPTOR:
                remedy = "the daemon needs /proc mounted, with its own descriptors in /proc/self/fd"
            path, what = self.files.path, os.strerror(error)
            _log.error("%s: a subscriber cannot be let in: %s; %s", path, what, remedy)
