"""Bytes between a bridge and a far end, without Zenoh; ``docs/bridge.md`` is the text."""

from __future__ import annotations

import struct
from typing import Any, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from roadmask.errors import Check, ProtocolError
from roadmask.imaging.encoding import encode_picture
from roadmask.stream.checks import MAX_SIDE_PX
from roadmask.stream.modes import Flag, MessageType, NoMask
from roadmask.stream.protocol import (
    CATEGORY_COUNT,
    IDENTITY_BYTES,
    MESSAGE_BYTES,
    FrameHeader,
    Welcome,
    decode,
    encode,
    turn_into_status,
)

MASK, STATUS, ABOUT = "mask", "status", "about"  # below the stream's key
_EPOCH = struct.Struct("<Q")
_NOTE = struct.Struct("<QQI")
_ABOUT = struct.Struct("<4sHHQQ")
_ABOUT_MAGIC, _ABOUT_VERSION = b"RMBR", 1
_PNG_START = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR"
_PNG_HEAD = struct.Struct(">16s2I2B")
MAX_TEXT = 400


class Note(NamedTuple):
    """What a bridge says while it has no stream to relay."""

    epoch: int
    sent_ns: int
    reason: NoMask
    text: str


class About(NamedTuple):
    """A bridge's answer: its clock, the daemon's WELCOME, the identity table's used entries."""

    epoch: int
    clock_ns: int
    welcome: Welcome | None
    identities: bytes


def encode_header(header: FrameHeader, epoch: int, kind: MessageType) -> bytes:
    """A FRAME's or STATUS's attachment: the 256 bytes as the daemon sent them, then the epoch.

    Of a frame's planes only the mask travels, so the others are taken out of the header.
    """
    header = header._replace(length=MESSAGE_BYTES)
    if header.flag_bits & (Flag.CONFIDENCE | Flag.PREVIEW):
        header = header._replace(
            flag_bits=header.flag_bits & ~(Flag.CONFIDENCE | Flag.PREVIEW),
            confidence_offset=0,
            confidence_stride=0,
            preview_offset=0,
            preview_width=0,
            preview_height=0,
            preview_stride=0,
        )
    data = bytearray(encode(header))
    if kind != MessageType.FRAME and header.type == MessageType.FRAME:
        turn_into_status(data, kind, header.sent_ns, header.mode_bits)
    return bytes(data) + _EPOCH.pack(epoch)


def decode_header(data: bytes) -> tuple[int, FrameHeader]:
    """Epoch and header of an attachment.

    Raises:
        ProtocolError: ``size``, ``magic``, ``version`` or ``type``.
    """
    if len(data) < MESSAGE_BYTES + _EPOCH.size:
        raise ProtocolError(Check.SIZE, f"attachment of {len(data)} bytes, expected 264")
    header = decode(data[:MESSAGE_BYTES])
    if not isinstance(header, FrameHeader):
        raise ProtocolError(Check.TYPE, "the attachment is neither FRAME nor STATUS")
    return _EPOCH.unpack_from(data, MESSAGE_BYTES)[0], header


def encode_note(note: Note) -> tuple[bytes, bytes]:
    """Attachment and payload."""
    attachment = _NOTE.pack(note.epoch, note.sent_ns, note.reason)
    return attachment, note.text.encode()[:MAX_TEXT]


def decode_status(attachment: bytes, payload: bytes) -> tuple[int, FrameHeader] | Note:
    """What came on the status key.

    Raises:
        ProtocolError: as ``decode_header``.
    """
    if len(attachment) != _NOTE.size:
        return decode_header(attachment)
    epoch, sent_ns, reason = _NOTE.unpack(attachment)
    text = payload[:MAX_TEXT].decode(errors="replace")
    known = reason in NoMask._value2member_map_ and reason != NoMask.NONE
    return Note(epoch, sent_ns, NoMask(reason) if known else NoMask.CONNECTION_LOST, text)


def encode_about(epoch: int, clock_ns: int, rest: bytes) -> bytes:
    """The answer to a far end; ``rest`` is ``about_stream``'s."""
    return _ABOUT.pack(_ABOUT_MAGIC, _ABOUT_VERSION, 0, epoch, clock_ns) + rest


def about_stream(welcome: Welcome, identities: bytes) -> bytes:
    """The part of the answer that only changes with the stream."""
    return encode(welcome._replace(length=MESSAGE_BYTES)) + identities


def decode_about(data: bytes) -> About:
    """A bridge's answer.

    Raises:
        ProtocolError: ``about``, or as ``protocol.decode``.
    """
    if len(data) < _ABOUT.size:
        raise ProtocolError(Check.ABOUT, f"answer of {len(data)} bytes")
    magic, version, _, epoch, clock_ns = _ABOUT.unpack_from(data)
    if magic != _ABOUT_MAGIC or version != _ABOUT_VERSION:
        raise ProtocolError(Check.ABOUT, f"{magic!r} version {version}: update the older end")
    rest = data[_ABOUT.size :]
    if not rest:
        return About(epoch, clock_ns, None, b"")
    welcome = decode(rest[:MESSAGE_BYTES])
    identities = rest[MESSAGE_BYTES:]
    if not isinstance(welcome, Welcome) or len(identities) % IDENTITY_BYTES:
        raise ProtocolError(Check.ABOUT, "neither WELCOME nor whole identities")
    return About(epoch, clock_ns, welcome, identities)


def encode_mask(pixels: npt.NDArray[np.uint8]) -> bytes:
    """``(H, W) uint8`` category ids as an 8-bit greyscale PNG.

    OpenCV's own settings: half a millisecond and 5 KB for 480x352. LZ4 takes a tenth of the time
    and 60 % more bytes, and would be one more dependency, for one per cent of a core at 30 Hz.
    """
    return encode_picture(".png", pixels)


def decode_mask(data: bytes, size: tuple[int, int]) -> npt.NDArray[np.uint8]:
    """The mask's ``(H, W) uint8``, of exactly ``size`` (width, height) px.

    Raises:
        ProtocolError: ``png``: something else came; a size is never believed from the file alone.
            ``category``: an id above 7.
    """
    head = _PNG_HEAD.unpack_from(data) if len(data) >= _PNG_HEAD.size else ()
    if head != (_PNG_START, *size, 8, 0) or max(size) > MAX_SIDE_PX:
        raise ProtocolError(Check.PNG, f"expected 8-bit greyscale PNG of {size[0]} x {size[1]} px")
    try:
        pixels: Any = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error:
        pixels = None
    if pixels is None or pixels.shape != (size[1], size[0]):
        raise ProtocolError(Check.PNG, f"damaged picture of {len(data)} bytes")
    checked: npt.NDArray[np.uint8] = pixels
    if checked.max() >= CATEGORY_COUNT:
        raise ProtocolError(Check.CATEGORY, "an id above 7 in the mask")
    return checked
