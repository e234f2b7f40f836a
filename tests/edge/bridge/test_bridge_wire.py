from __future__ import annotations

import contextlib

import numpy as np
import pytest
from bridge_parts import FRAME, WELCOME
from hypothesis import given, settings
from hypothesis import strategies as st

from roadmask.bridge import wire
from roadmask.errors import Check, ProtocolError
from roadmask.stream.modes import Flag, MessageType, Mode, NoMask, Reason
from roadmask.stream.protocol import Identity, IdentityKind, encode_identity


def test_a_header_travels_as_it_is() -> None:
    data = wire.encode_header(FRAME, 42, MessageType.FRAME)
    assert len(data) == 264
    assert wire.decode_header(data) == (42, FRAME)


def test_a_frame_that_is_not_sent_still_tells_that_the_daemon_lives() -> None:
    epoch, status = wire.decode_header(wire.encode_header(FRAME, 42, MessageType.STATUS))
    assert (epoch, status.type, status.sequence) == (42, MessageType.STATUS, 3)
    assert (status.sent_ns, status.mode, status.mask_width) == (120, Mode.OK, 0)


def test_planes_that_do_not_travel_are_not_announced() -> None:
    flags = int(Flag.CONFIDENCE | Flag.PREVIEW | Flag.SYNTHETIC)
    planes = FRAME._replace(
        flag_bits=flags, confidence_offset=8192, confidence_stride=64, preview_offset=12288,
        preview_width=8, preview_height=4, preview_stride=24,
    )  # fmt: skip
    _, header = wire.decode_header(wire.encode_header(planes, 1, MessageType.FRAME))
    assert header == FRAME._replace(flag_bits=int(Flag.SYNTHETIC))


def test_a_note_and_an_unknown_reason() -> None:
    note = wire.Note(42, 5, NoMask.CONNECTION_LOST, "the publisher is gone")
    assert wire.decode_status(*wire.encode_note(note)) == note
    later, _ = wire.encode_note(note._replace(reason=99))  # type: ignore[arg-type]
    assert wire.decode_status(later, b"\xff") == note._replace(text="\ufffd")


def test_about_with_and_without_a_stream() -> None:
    entry = encode_identity(IdentityKind.MODEL, Identity("m", b"\1" * 32))
    data = wire.encode_about(42, 77, wire.about_stream(WELCOME, entry))
    assert wire.decode_about(data) == wire.About(42, 77, WELCOME, entry)
    assert wire.decode_about(wire.encode_about(42, 77, b"")) == wire.About(42, 77, None, b"")


@pytest.mark.parametrize("size", [(480, 352), (1, 1), (3, 500)])
def test_a_mask_comes_out_as_it_went_in(size: tuple[int, int]) -> None:
    pixels = np.random.default_rng(1).integers(0, 8, size[::-1]).astype(np.uint8)
    assert (wire.decode_mask(wire.encode_mask(pixels), size) == pixels).all()


def test_an_id_that_is_no_category_is_refused() -> None:
    with pytest.raises(ProtocolError, match="above 7") as refused:
        wire.decode_mask(wire.encode_mask(np.full((4, 6), 8, np.uint8)), (6, 4))
    assert refused.value.check is Check.CATEGORY


def test_a_picture_of_another_size_or_kind_is_refused() -> None:
    png = wire.encode_mask(np.zeros((4, 6), np.uint8))
    colour = wire.encode_mask(np.zeros((4, 6, 3), np.uint8))
    for data in (b"", png[:20], png[:50], b"x" * 64, colour):
        with pytest.raises(ProtocolError) as caught:
            wire.decode_mask(data, (6, 4))
        assert caught.value.check == "png"
    with pytest.raises(ProtocolError, match="4 x 6"):
        wire.decode_mask(png, (4, 6))


@settings(max_examples=300)
@given(data=st.binary(max_size=300), payload=st.binary(max_size=40))
def test_garbage_is_a_protocol_error(data: bytes, payload: bytes) -> None:
    whole = wire.encode_header(FRAME, 1, MessageType.FRAME)
    about = wire.encode_about(1, 2, wire.about_stream(WELCOME, b""))
    for decode in (
        lambda: wire.decode_status(data, payload),
        lambda: wire.decode_header(data + whole[len(data) :]),
        lambda: wire.decode_about(about[:24] + data),
        lambda: wire.decode_about(data),
    ):
        with contextlib.suppress(ProtocolError):
            decode()


def test_the_reasons_that_a_mode_has_stay() -> None:
    bits = int(Mode.DEGRADED | Reason.THERMAL)
    _, header = wire.decode_header(
        wire.encode_header(FRAME._replace(mode_bits=bits), 1, MessageType.STATUS)
    )
    assert (header.mode, header.reasons) == (Mode.DEGRADED, Reason.THERMAL)
