"""The compiled half of ``Connection``: what it takes in, and that it judges as the Python codec."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from message_parts import FRAME, WELCOME

from roadmask._native import (
    INBOX_BYE,
    INBOX_CLOSED,
    INBOX_FRAME,
    INBOX_MALFORMED,
    INBOX_MORE,
    INBOX_STATUS,
    Inbox,
    Policy,
    judge,
    send_each,
)
from roadmask.errors import ProtocolError
from roadmask.stream.checks import check_frame, check_message
from roadmask.stream.modes import Flag, MessageType, Mode, NoMask
from roadmask.stream.protocol import FrameHeader, decode, decode_header, encode
from roadmask.system.clock import now_ns


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
    assert decode_header(inbox.status).sent_ns == FRAME.sent_ns + 5
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
    assert inbox.read(ours.fileno()) == INBOX_BYE, "nothing is read after the end"
    assert Inbox(encode(WELCOME)).read(ours.fileno()) == INBOX_CLOSED
    broken = Inbox(encode(WELCOME))
    assert (broken.read(-1), broken.error) == (INBOX_CLOSED, errno.EBADF)


def test_nothing_is_read_once_it_is_closed(ends: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = ends
    inbox = Inbox(encode(WELCOME))
    inbox.close()
    theirs.send(status())
    inbox.wait(-1, 60_000_000_000)
    assert inbox.read(ours.fileno()) == INBOX_CLOSED
    assert ours.recv(4096) == status()


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
            check_message(found, WELCOME, WELCOME.sequence, now_ns())
            if found.type == MessageType.FRAME:
                check_frame(found, WELCOME, WELCOME.sequence)
    except ProtocolError as error:
        expected = error.check
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        theirs.send(data)
        inbox = Inbox(encode(WELCOME))
        refused = bool(inbox.read(ours.fileno()) & INBOX_MALFORMED)
    assert (inbox.check if refused else "none") == expected


def test_nothing_is_taken_without_a_frame_or_its_ring(
    ends: tuple[socket.socket, socket.socket],
) -> None:
    ours, theirs = ends
    ring = np.zeros(WELCOME.ring_bytes, np.uint8)
    with pytest.raises(ValueError, match="ring smaller"):
        Inbox(encode(WELCOME), 1 << 20, ring[:-1])
    inbox = Inbox(encode(WELCOME), 1 << 20, ring)
    policy = Policy(False, False, 0, b"")
    terms = (True, policy, 60_000_000_000, 60_000_000_000)
    with pytest.raises(ValueError, match="no frame of this stream"):
        inbox.take(encode(FRAME._replace(slot=99)), *terms)
    now = now_ns()
    frame = encode(FRAME._replace(capture_ns=now, publish_ns=now, sent_ns=now))
    theirs.send(frame)
    inbox.read(ours.fileno())
    with pytest.raises(ValueError, match="without its ring"):
        Inbox(encode(WELCOME)).take(frame, *terms)
    assert inbox.take(frame, *terms) == NoMask.OVERWRITTEN, "its generation is 0"
    assert inbox.take(frame, True, policy, 0, 60_000_000_000) == NoMask.TOO_OLD
    start = WELCOME.generation_offset + FRAME.slot * WELCOME.generation_stride
    ring[start : start + 8] = np.frombuffer(FRAME.sequence.to_bytes(8, "little"), np.uint8)
    ring[FRAME.mask_offset] = 7
    taken = inbox.take(frame, *terms)
    assert not isinstance(taken, int)
    mask, confidence, preview = taken
    assert mask.shape == (FRAME.mask_height, FRAME.mask_width) and mask[0, 0] == 7
    assert confidence is not None and confidence.shape == mask.shape
    assert preview is not None
    assert preview.shape == (FRAME.preview_height, FRAME.preview_width, 3)
    mask[0, 0] = 8  # private
    assert ring[FRAME.mask_offset] == 7
    with pytest.raises(ValueError, match="no WELCOME"):
        Inbox(encode(FRAME))


def test_each_socket_says_why_it_took_nothing(ends: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = ends
    assert send_each(b"x", [ours.fileno(), ours.fileno()])[1] is None
    full = 0
    while (errors := send_each(bytes(256), [ours.fileno()])[1]) is None:
        full += 1
    assert full > 1 and errors == [errno.EAGAIN]
    theirs.close()
    _, errors = send_each(b"x", [ours.fileno(), -1])
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
    assert judge(newest, said, b"", Policy(False, False, 0, b""), 200, 500, 10_000) == reason
