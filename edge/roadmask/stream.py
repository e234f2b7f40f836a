"""What a reader of masks asks of that which brings them."""

from __future__ import annotations

from typing import Protocol

from roadmask.errors import ProtocolError
from roadmask.mask import MappedRing
from roadmask.modes import NoMask
from roadmask.protocol import FrameHeader


class Stream(Protocol):
    """A stream: of a socket (``connection``), or of a bridge (``remotestream``)."""

    ring: MappedRing | None
    frame: FrameHeader | None
    status: FrameHeader | None
    reason: NoMask
    detail: str
    error: ProtocolError | None
    ended: bool

    def pump(self) -> None:
        """Take in what has come, without blocking."""

    def wait_ns(self) -> int:
        """How long nothing can happen that ``fileno`` does not tell."""

    def fileno(self) -> int:
        """Readable when something came; -1 while there is nothing to wait for."""

    def close(self) -> None:
        """Leave for good."""
