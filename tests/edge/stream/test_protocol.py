from __future__ import annotations

import math
import struct
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from message_parts import FRAME, NOW_NS, WELCOME

from roadmask.errors import ProtocolError
from roadmask.stream import protocol
from roadmask.stream.checks import check_frame, check_message, check_welcome
from roadmask.stream.modes import Flag, MessageType, Mode, Reason
from roadmask.stream.protocol import (
    FrameHeader,
    Identity,
    IdentityKind,
    decode,
    decode_identity,
    encode,
    encode_identity,
)


def failed_check(call: object, *arguments: object) -> str:
    with pytest.raises(ProtocolError) as caught:
        call(*arguments)  # type: ignore[operator]
    return caught.value.check


def test_round_trip() -> None:
    assert decode(encode(FRAME)) == FRAME
    assert decode(encode(WELCOME)) == WELCOME


def test_fields_lie_where_the_document_says() -> None:
    data = encode(FRAME)
    assert data[:16] == b"RMSK\x02\x00\x00\x01\x01\x00\x00\x00\x31\x00\x00\x00"
    assert struct.unpack_from("<QQ", data, 16) == (FRAME.stream_id, 42)
    assert struct.unpack_from("<Q", data, 48) == (FRAME.sent_ns,)
    assert struct.unpack_from("<I", data, 80) == (0x1 | 1 << 9 | 1 << 11,)
    assert struct.unpack_from("<Q", data, 112) == (FRAME.mask_offset,)
    assert struct.unpack_from("<8H", data, 176)[1] == 21845
    assert data[192:] == bytes(64)
    assert struct.unpack_from("<I", encode(WELCOME), 64) == (8,)


def test_what_a_header_says() -> None:
    assert FRAME.mode is Mode.DEGRADED
    assert FRAME.reasons == Reason.THERMAL | Reason.LOW_RATE
    assert FRAME.flags & Flag.DRIVER_TIME
    assert FRAME.shares[1] == pytest.approx(1 / 3)
    assert FRAME.valid_until_ns == 1_250_000_000


def test_a_status_points_at_no_pixels() -> None:
    data = bytearray(encode(FRAME))
    protocol.turn_into_status(data, MessageType.STATUS, 2_000_000_000, Mode.STALE)
    status = decode(data)
    assert isinstance(status, FrameHeader)
    assert (status.type, status.mode, status.sent_ns) == (3, Mode.STALE, 2_000_000_000)
    assert (status.sequence, status.capture_ns) == (42, FRAME.capture_ns)
    planes = (status.mask_offset, status.confidence_offset, status.preview_offset, status.slot)
    assert planes == (0, 0, 0, 0)
    assert status.flags == Flag.DRIVER_TIME


@pytest.mark.parametrize(
    ("data", "check"),
    [
        (b"", "size"),
        (encode(FRAME)[:255], "size"),
        (encode(FRAME) + b"\0", "size"),
        (b"RMSQ" + encode(FRAME)[4:], "magic"),
        (encode(FRAME._replace(major=2)), "version"),
        (encode(FRAME._replace(length=255)), "size"),
    ],
)
def test_what_is_no_message_is_refused(data: bytes, check: str) -> None:
    assert failed_check(decode, data) == check


def test_later_minor_versions_are_understood() -> None:
    assert decode(encode(FRAME._replace(type=99))) is None
    longer = encode(FRAME._replace(minor=7, length=300)) + bytes(44)
    assert decode(longer) == FRAME._replace(minor=7, length=300)


def test_good_messages_pass() -> None:
    check_welcome(WELCOME, WELCOME.ring_bytes)
    check_message(FRAME, WELCOME, 41, NOW_NS)
    check_frame(FRAME, WELCOME, 41)


@pytest.mark.parametrize(
    ("changes", "check"),
    [
        ({"ring_bytes": 5_255_169}, "ring_size"),
        ({"ring_bytes": 0}, "ring_size"),
        ({"ring_bytes": 1 << 63}, "ring_size"),
        ({"slots": 1}, "ring_layout"),
        ({"slots": 65}, "ring_layout"),
        ({"slots": 9}, "ring_layout"),
        ({"slot_bytes": 0}, "ring_layout"),
        ({"slot_bytes": 1 << 63}, "ring_layout"),
        ({"slots_offset": 1 << 63}, "ring_layout"),
        ({"generation_stride": 4}, "ring_layout"),
        ({"generation_stride": 68}, "ring_layout"),
        ({"generation_offset": 4}, "ring_layout"),
        ({"generation_offset": 5_255_168 - 8}, "ring_layout"),
        ({"identity_offset": 5_255_168}, "ring_layout"),
        ({"identity_stride": 255}, "ring_layout"),
        ({"identity_count": 256}, "ring_layout"),
        ({"heartbeat_ms": 0}, "limits"),
        ({"silence_ms": 60_001}, "limits"),
        ({"max_age_ms": 0}, "limits"),
        ({"stream_id": 0}, "stream_id"),
    ],
)
def test_every_bound_of_the_ring(changes: dict[str, Any], check: str) -> None:
    assert failed_check(check_welcome, WELCOME._replace(**changes), 5_255_168) == check


@pytest.mark.parametrize(
    ("changes", "check"),
    [
        ({"stream_id": 1}, "stream_id"),
        ({"sequence": 40}, "sequence"),
        ({"sent_ns": NOW_NS + 1}, "clock"),
        ({"publish_ns": 1_020_000_001}, "clock"),
    ],
)
def test_every_bound_of_a_message(changes: dict[str, Any], check: str) -> None:
    assert failed_check(check_message, FRAME._replace(**changes), WELCOME, 41, NOW_NS) == check


@pytest.mark.parametrize(
    ("changes", "check"),
    [
        ({"sequence": 41}, "sequence"),
        ({"slot": 8}, "slot"),
        ({"mask_width": 0}, "mask_size"),
        ({"mask_height": 16385}, "mask_size"),
        ({"mask_width": 0xFFFFFFFF}, "mask_size"),
        ({"mask_stride": 511}, "mask_bounds"),
        ({"mask_stride": 0xFFFFFFFF}, "mask_bounds"),
        ({"mask_offset": 0}, "mask_bounds"),
        ({"mask_offset": FRAME.mask_offset - 1}, "mask_bounds"),
        ({"mask_offset": FRAME.mask_offset + 655_360}, "mask_bounds"),
        ({"mask_offset": (1 << 64) - 1}, "mask_bounds"),
        ({"slot": 3}, "mask_bounds"),
        ({"confidence_offset": 0}, "confidence_bounds"),
        ({"confidence_offset": 1}, "confidence_bounds"),
        ({"confidence_stride": 0}, "confidence_bounds"),
        ({"flag_bits": Flag.PREVIEW}, "confidence_bounds"),
        ({"flag_bits": Flag.CONFIDENCE}, "preview_bounds"),
        ({"preview_width": 0}, "preview_bounds"),
        ({"preview_height": 257}, "preview_bounds"),
        ({"preview_stride": 1535}, "preview_bounds"),
        ({"scale_x": math.nan}, "transform"),
        ({"scale_y": 0.0}, "transform"),
        ({"offset_x": math.inf}, "transform"),
        ({"camera_width": 0}, "camera_size"),
        ({"camera_height": 65_536}, "camera_size"),
        ({"model": 32}, "identity"),
        ({"verification_entry": 33}, "identity"),
        ({"geometry_entry": 255}, "identity"),
        ({"ego_entry": 33}, "identity"),
        ({"max_age_ms": 0}, "limits"),
    ],
)
def test_every_bound_of_a_frame(changes: dict[str, Any], check: str) -> None:
    assert failed_check(check_frame, FRAME._replace(**changes), WELCOME, 41) == check


def test_identities() -> None:
    entry = Identity("cityscapes-8", bytes(range(32)), ((0, 0, 0), (128, 64, 128)))
    data = encode_identity(IdentityKind.LABELS, entry)
    assert len(data) == 256
    assert decode_identity(data) == (IdentityKind.LABELS, entry)
    for kind, size in ((IdentityKind.GEOMETRY, 128), (IdentityKind.EGO, 12)):
        numbers = Identity("front", bytes(32), (), bytes(range(1, 1 + size)))
        assert decode_identity(encode_identity(kind, numbers)) == (kind, numbers)
    # A long name is cut between two characters: 43 x 2 bytes, not 43.5.
    kind, cut = decode_identity(encode_identity(IdentityKind.MODEL, Identity("ä" * 60)))
    assert (kind, cut.name) == (IdentityKind.MODEL, "ä" * 43)
    assert failed_check(decode_identity, b"\x09" + data[1:]) == "identity"
    assert failed_check(decode_identity, data[:4] + b"\x21" + data[5:]) == "identity"
    assert failed_check(decode_identity, data[:-1]) == "identity"


@settings(deadline=None, max_examples=300)
@given(st.binary(max_size=600))
def test_no_bytes_crash_the_decoder(data: bytes) -> None:
    for candidate in (data, encode(FRAME)[:16] + data, encode(WELCOME)[:16] + data):
        try:
            message = decode(candidate)
        except ProtocolError:
            continue
        assert message is None or message.length == len(candidate)


@settings(deadline=None, max_examples=500)
@given(st.integers(0, 223), st.binary(min_size=1, max_size=8))
def test_what_the_checks_accept_lies_in_the_slot(position: int, garbage: bytes) -> None:
    """A good frame with some bytes overwritten is refused or its planes are whole."""
    data = bytearray(encode(FRAME))
    data[position : position + len(garbage)] = garbage
    try:
        header = decode(bytes(data[:256]))
        if not isinstance(header, FrameHeader) or header.type != MessageType.FRAME:
            return
        check_message(header, WELCOME, 41, NOW_NS)
        check_frame(header, WELCOME, 41)
    except ProtocolError:
        return
    first = WELCOME.slots_offset + header.slot * WELCOME.slot_bytes
    last = header.mask_offset + (header.mask_height - 1) * header.mask_stride + header.mask_width
    assert first <= header.mask_offset < last <= first + WELCOME.slot_bytes <= WELCOME.ring_bytes
    assert header.capture_ns >= 0
    assert header.publish_ns <= header.sent_ns <= NOW_NS
