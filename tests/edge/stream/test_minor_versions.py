"""A minor version only appends: older clients go on, and refuse a frame without an age."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import client_1_1
import pytest
from message_parts import FRAME, NOW_NS, WELCOME
from stream_parts import connect, let_silence_be, publish, welcome_of

from roadmask._native import Policy, judge
from roadmask.stream.checks import check_frame, check_message
from roadmask.stream.modes import Flag, Mode, NoMask, Reason
from roadmask.stream.protocol import (
    MINOR,
    UNKNOWN_NS,
    FrameHeader,
    Identity,
    decode,
    encode,
    frame_indices,
)
from roadmask.stream.publish.publisher import Publisher, StreamIdentity
from roadmask.stream.subscribe.subscriber import Subscriber

MS = 1_000_000
HOUR_MS = 3_600_000


def frames(path: Path, **changes: Any) -> tuple[bytes, bytes]:
    """A FRAME and the STATUS after it, as today's publisher sends them."""
    identity = StreamIdentity(verification=Identity("passed"), geometry=Identity("pinhole"))
    with (
        Publisher(path, mask_size=(8, 8), identity=identity, max_age_ms=60_000) as publisher,
        connect(path) as client,
    ):
        publisher.engine_restarts = 2
        publish(publisher, **changes)
        publisher.heartbeat()
        welcome_of(client)
        return client.recv(4096), client.recv(4096)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "masks.sock"


def test_a_client_of_1_1_goes_on(path: Path) -> None:
    frame, status = (client_1_1.decode(data) for data in frames(path))
    assert (frame["minor"], frame["sequence"], status["sequence"]) == (MINOR, 1, 1)
    assert client_1_1.judge(frame, status, int(status["sent_ns"]), 60_000 * MS) == "NONE"


@pytest.mark.parametrize("uptime_ms", [1, 100, 59_000, HOUR_MS, 10 * 365 * 24 * HOUR_MS])
@pytest.mark.parametrize("allow_not_live", [False, True])
def test_a_frame_without_an_age_is_refused_by_1_1_at_any_uptime(
    path: Path, uptime_ms: int, allow_not_live: bool
) -> None:
    """Zero would be young on a machine that has just been started."""
    data, _ = frames(path, flags=Flag.AGE_UNKNOWN)
    frame = client_1_1.decode(data)
    now = uptime_ms * MS
    frame |= {"publish_ns": now, "sent_ns": now}
    for later_ms in (0, 1, 199):
        verdict = client_1_1.judge(frame, frame, now + later_ms * MS, 60_000 * MS, allow_not_live)
        assert verdict == "FUTURE"


def test_what_a_frame_without_an_age_says(path: Path) -> None:
    header = decode(frames(path, flags=Flag.AGE_UNKNOWN)[0])
    assert isinstance(header, FrameHeader)
    assert header.capture_ns == UNKNOWN_NS
    assert 0 < header.arrival_ns == header.seen_ns <= header.publish_ns
    assert header.valid_until_ns == header.arrival_ns + 60_000 * MS
    assert (header.mode, header.reasons) == (Mode.OK, Reason.NONE)


def test_no_arithmetic_of_64_bits_makes_the_unknown_time_young() -> None:
    for now in (0, 1, NOW_NS, 1 << 60):
        unsigned = (now - UNKNOWN_NS) % (1 << 64)
        signed = now - UNKNOWN_NS
        assert signed < 0 and unsigned > 60_000 * MS and UNKNOWN_NS + 60_000 * MS < 1 << 64


def test_an_arrival_in_the_future_is_a_fault(path: Path) -> None:
    header = decode(frames(path, flags=Flag.AGE_UNKNOWN, capture_ns=1 << 62)[0])
    assert isinstance(header, FrameHeader)
    assert (header.mode, header.reasons) == (Mode.FAULT, Reason.BAD_TIMESTAMP)


def test_todays_client_reads_1_0_and_1_1() -> None:
    assert FRAME.minor == 0
    check_message(FRAME, WELCOME, 41, NOW_NS)
    check_frame(FRAME, WELCOME, 41)
    data = encode(FRAME)
    take_all = Policy(False, False, 0, b"")
    assert judge(data, data, b"", take_all, 250 * MS, 200 * MS, NOW_NS) == NoMask.NONE
    assert frame_indices(FRAME) == (0, 1, 2, 3, 255, 255, 255)


def test_what_came_with_1_2_arrives(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    let_silence_be(monkeypatch)
    identity = StreamIdentity(
        model=Identity("net"),
        verification=Identity("passed 16 golden frames", b"\1" * 32),
        geometry=Identity("pinhole", b"\2" * 32),
    )
    with (
        Publisher(path, mask_size=(8, 8), identity=identity, max_age_ms=60_000) as publisher,
        Subscriber(path, max_age_ms=60_000) as subscriber,
    ):
        subscriber.latest()
        publisher.engine_restarts = 7
        publish(publisher, reasons=Reason.UNVERIFIED | Reason.REDUCED)
        mask = subscriber.latest()
        assert mask is not None
        assert (mask.model, mask.verification, mask.geometry_identity) == (
            identity.model,
            identity.verification,
            identity.geometry,
        )
        assert mask.geometry is None  # a name and a digest, no numbers
        assert mask.reasons == Reason.UNVERIFIED | Reason.REDUCED
        assert mask.header.engine_restarts == 7
        publisher.engine_restarts = 8  # between frames: the next STATUS says it
        publisher.heartbeat()
        subscriber.latest()
        assert subscriber.status is not None and subscriber.status.engine_restarts == 8


def test_the_stream_tells_a_fault_before_its_first_frame(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """STATUS with sequence 0: what 1.1 publishers send as STARTING may be any FAULT."""
    let_silence_be(monkeypatch)
    with Publisher(path, mask_size=(8, 8)) as publisher, Subscriber(path) as subscriber:
        subscriber.latest()
        publisher.heartbeat()
        assert subscriber.latest() is None and subscriber.reason is NoMask.NO_FRAME
        assert "FAULT: STARTING" in subscriber.reason_text
        publisher.set_mode(Mode.FAULT, Reason.CAMERA_LOST)
        assert subscriber.latest() is None and subscriber.reason is NoMask.NO_FRAME
        assert "FAULT: CAMERA_LOST" in subscriber.reason_text
        assert subscriber.status is not None and subscriber.status.sequence == 0
