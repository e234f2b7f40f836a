"""The compiled half of ``Connection``: what it takes in, and that it judges as the Python codec."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_protocol import FRAME, WELCOME

from roadmask._native import (
    INBOX_BYE,
    INBOX_CLOSED,
    INBOX_FRAME,
    INBOX_MALFORMED,
    INBOX_MORE,
    INBOX_STATUS,
    Inbox,
    judge,
    send_each,
)
from roadmask.checks import check_frame, check_message
from roadmask.errors import ProtocolError
from roadmask.modes import Flag, MessageType, Mode, NoMask
from roadmask.protocol import FrameHeader, decode, decode_times, encode

LATER = 1 << 62


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        yield ours, theirs


def status(**changes: int) -> bytes:
    header = FRAME._replace(
        type=MessageType.STATUS, flag_bits=0, mask_offset=0, confidence_offset=0, preview_offset=0
    )
    return encode(header._replace(**changes))


def test_frames_and_statuses_are_kept_apart(ends: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = ends
    inbox = Inbox(encode(WELCOME))
    assert inbox.read(ours.fileno()) == 0
    theirs.send(encode(FRAME))
    theirs.send(status(sent_ns=FRAME.sent_ns + 5))
    unknown = bytearray(encode(FRAME))
    unknown[4] = 99
    theirs.send(unknown)
    assert inbox.read(ours.fileno()) == INBOX_FRAME | INBOX_STATUS
    assert inbox.frame == encode(FRAME)
    assert decode_times(inbox.status).sent_ns == FRAME.sent_ns + 5
    assert inbox.last_sequence == FRAME.sequence


def test_one_at_a_time(ends: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = ends
    inbox = Inbox(encode(WELCOME))
    for sequence in (42, 43):
        theirs.send(encode(FRAME._replace(sequence=sequence)))
    assert inbox.read(ours.fileno(), 1) == INBOX_FRAME | INBOX_MORE
    assert inbox.last_sequence == 42
    assert inbox.read(ours.fileno(), 1) == INBOX_FRAME | INBOX_MORE
    assert inbox.read(ours.fileno(), 1) == 0


def test_the_end_is_told(ends: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = ends
    inbox = Inbox(encode(WELCOME))
    theirs.send(status(type=MessageType.BYE))
    assert inbox.read(ours.fileno()) == INBOX_BYE
    theirs.close()
    assert inbox.read(ours.fileno()) == INBOX_CLOSED
    with pytest.raises(OSError, match="Bad file descriptor"):
        inbox.read(-1)


@settings(max_examples=300, deadline=None)
@given(position=st.integers(0, 255), garbage=st.binary(min_size=1, max_size=8))
def test_it_refuses_what_the_python_codec_refuses(position: int, garbage: bytes) -> None:
    message = bytearray(encode(FRAME))
    message[position : position + len(garbage)] = garbage
    data = bytes(message[:256])
    expected = "none"
    try:
        found = decode(data)
        if isinstance(found, FrameHeader):
            check_message(found, WELCOME, WELCOME.sequence, LATER)
            if found.type == MessageType.FRAME:
                check_frame(found, WELCOME, WELCOME.sequence)
    except ProtocolError as error:
        expected = error.check
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        theirs.send(data)
        inbox = Inbox(encode(WELCOME))
        refused = bool(inbox.read(ours.fileno()) & INBOX_MALFORMED)
    if expected == "clock" and not refused:
        # A time beyond LATER: the caller asks the clock.
        assert decode_times(data).sent_ns > LATER
    else:
        assert (inbox.check if refused else "none") == expected


def test_no_copy_without_a_frame_or_its_ring(ends: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = ends
    mask = np.empty((FRAME.mask_height, FRAME.mask_width), np.uint8)
    ring = np.zeros(WELCOME.ring_bytes, np.uint8)
    inbox = Inbox(encode(WELCOME))
    with pytest.raises(ValueError, match="no frame yet"):
        inbox.copy(ring, mask, None, None)
    theirs.send(encode(FRAME))
    inbox.read(ours.fileno())
    with pytest.raises(ValueError, match="ring smaller"):
        inbox.copy(ring[:-1], mask, None, None)
    with pytest.raises(ValueError, match="mask: given"):
        inbox.copy(ring, mask[:-1].copy(), None, None)
    assert not inbox.copy(ring, mask, None, None), "its generation is 0: overwritten"
    with pytest.raises(ValueError, match="no WELCOME"):
        Inbox(encode(FRAME))


def test_each_socket_says_why_it_took_nothing(ends: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = ends
    assert send_each(b"x", [ours.fileno(), ours.fileno()]) is None
    full = 0
    while (errors := send_each(bytes(256), [ours.fileno()])) is None:
        full += 1
    assert full > 1 and errors == [errno.EAGAIN]
    theirs.close()
    errors = send_each(b"x", [ours.fileno(), -1])
    assert errors is not None and errors[0] in (errno.EPIPE, errno.ECONNRESET)
    assert errors[1] == errno.EBADF


@pytest.mark.parametrize(
    ("frame", "state", "reason"),
    [
        ({}, {}, NoMask.NONE),
        ({}, {"sent_ns": 9_000}, NoMask.SILENT),
        ({}, {"sent_ns": 10_001}, NoMask.SILENT),
        ({}, {"mode_bits": int(Mode.FAULT)}, NoMask.FAULT),
        ({}, {"mode_bits": int(Mode.STALE)}, NoMask.STALE),
        ({}, {"mode_bits": int(Mode.DEGRADED)}, NoMask.NONE),
        ({"flag_bits": int(Flag.REPLAY)}, {}, NoMask.NOT_LIVE),
        ({"capture_ns": 9_951}, {}, NoMask.FUTURE),
        ({"capture_ns": 10_001, "publish_ns": 10_002}, {}, NoMask.FUTURE),
        ({"capture_ns": 9_799}, {}, NoMask.TOO_OLD),
        ({"capture_ns": 9_800}, {}, NoMask.NONE),
    ],
)
def test_judgement(frame: dict[str, int], state: dict[str, int], reason: NoMask) -> None:
    times = {"capture_ns": 9_900, "publish_ns": 9_950, "sent_ns": 9_950, "mode_bits": 0}
    newest = encode(FRAME._replace(**{**times, "flag_bits": 0, **frame}))
    said = status(**{**times, **state})
    assert judge(newest, said, 200, 500, False, 10_000) == reason
