"""A subscriber's end that keeps every message of the stream, not only the newest."""

from __future__ import annotations

from dataclasses import dataclass

from roadmask.stream.modes import MessageType
from roadmask.stream.protocol import (
    NO_IDENTITY,
    FrameHeader,
    Identity,
    IdentityKind,
    Message,
    Welcome,
    frame_indices,
)
from roadmask.stream.subscribe.connection import Connection


def frame_identities(header: FrameHeader) -> tuple[tuple[int, IdentityKind], ...]:
    """The header's indices, each with the kind of what it refers to."""
    kinds = [kind for kind in IdentityKind if kind is not IdentityKind.EMPTY]
    return tuple(zip(frame_indices(header), kinds, strict=True))


@dataclass(frozen=True)
class Heard:
    """One message, with the planes of a FRAME.

    Attributes:
        data: the message as it came, then mask, confidence and preview without padding.
        identities: those that this frame is the first to refer to: index, kind, identity.
    """

    message: Message
    data: bytes
    identities: tuple[tuple[int, IdentityKind, Identity], ...] = ()


class Tap(Connection):
    """WELCOMEs, FRAMEs, and the STATUS messages that change the mode.

    To the publisher it is a subscriber like any other. After ``pump``, take what is in ``heard``
    and clear it.

    Attributes:
        dropped: frames missing in the sequence, or overwritten before they were copied.
    """

    _MESSAGES_AT_ONCE = 1

    def __init__(self, path: str) -> None:
        super().__init__(path, reconnect=True)
        self.heard: list[Heard] = []
        self.dropped = 0
        self._last = (0, 0)  # stream and sequence of the last FRAME
        self._mode_bits = -1
        self._known: set[tuple[int, int]] = set()  # stream and index

    def _heard(self, message: Message, data: bytes) -> None:
        if isinstance(message, Welcome):
            self._mode_bits = -1
        elif message.type == MessageType.FRAME:
            self._mode_bits = message.mode_bits
            self._hear_frame(message, data)
            return
        elif message.type == MessageType.STATUS and message.mode_bits == self._mode_bits:
            return
        else:
            self._mode_bits = message.mode_bits
        self.heard.append(Heard(message, data))

    def _hear_frame(self, header: FrameHeader, data: bytes) -> None:
        stream, sequence = self._last
        if stream == header.stream_id:
            self.dropped += header.sequence - sequence - 1
        self._last = header.stream_id, header.sequence
        assert self.ring is not None
        size = (header.mask_height, header.mask_width)
        planes: list[tuple[int, ...]] = [(header.mask_offset, header.mask_stride, *size)]
        if header.confidence_offset:
            planes.append((header.confidence_offset, header.confidence_stride, *size))
        if header.preview_offset:
            size3 = (header.preview_height, header.preview_width, 3)
            planes.append((header.preview_offset, header.preview_stride, *size3))
        parts: list[bytes | memoryview] = [data]
        for plane in planes:
            pixels = self.ring.copy(header, *plane)
            if pixels is None:
                # What was gone before this came is no loss of its own.
                self.dropped += header.publish_ns >= self.ring.welcome.sent_ns
                return
            parts.append(pixels.data)
        self.heard.append(Heard(header, b"".join(parts), tuple(self._new_identities(header))))

    def _new_identities(self, header: FrameHeader) -> list[tuple[int, IdentityKind, Identity]]:
        assert self.ring is not None
        new = []
        for index, kind in frame_identities(header):
            key = header.stream_id, index
            if index != NO_IDENTITY and key not in self._known:
                self._known.add(key)
                identity = self.ring.identity(index, kind)
                if identity is not None:
                    new.append((index, kind, identity))
        return new
