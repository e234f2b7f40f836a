"""What a published frame says: its header, its numbers, and what cannot be said."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from stream_parts import (
    connect,
    frame_info,
    header_of,
    let_silence_be,
    process,
    publish,
    wait_for,
    welcome_of,
)

from roadmask.errors import PublishError
from roadmask.stream.modes import Flag, Mode, Reason
from roadmask.stream.protocol import (
    FrameHeader,
    Identity,
    IdentityKind,
    Stages,
    decode,
    decode_stages,
    frame_indices,
)
from roadmask.stream.publish.frame_info import Indices
from roadmask.stream.publish.publisher import FrameInfo, Publisher, RingForm, StreamIdentity
from roadmask.stream.subscribe.subscriber import Subscriber
from roadmask.system.clock import now_ns


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "masks.sock"


def test_publish_needs_begin(path: Path) -> None:
    with Publisher(path, mask_size=(8, 8)) as publisher:
        with pytest.raises(PublishError, match="begin"):
            publisher.publish(frame_info())
        publish(publisher)
        with pytest.raises(PublishError, match="begin"):
            publisher.publish(frame_info())
        publisher.begin()
        with pytest.raises(PublishError, match="does not fit"):
            publisher.publish(frame_info(frame_id=-1))
        assert publisher.sequence == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"skipped": -1},
        {"frame_id": 1 << 64},
        {"camera_size": (1280,)},
        {"scale": ("wide", 1.0)},
        {"counts": (1,) * 7},
        {"counts": (-1,) * 8},
        {"identity": (0, 1, 2, 256, 4, 5)},
    ],
)
def test_what_does_not_fit_is_never_sent(path: Path, wrong: dict[str, Any]) -> None:
    with Publisher(path, mask_size=(8, 8)) as publisher, connect(path) as client:
        publish(publisher)
        welcome_of(client), header_of(client)
        publisher.begin()
        with pytest.raises(PublishError, match="does not fit"):
            publisher.publish(frame_info(**wrong))
        assert publisher.publish(frame_info(counts=range(8))) == 2
        assert header_of(client).sequence == 2


def test_a_header_holds_what_was_said(path: Path) -> None:
    with (
        Publisher(path, mask_size=(8, 4), form=RingForm(True, (6, 2))) as publisher,
        connect(path) as client,
    ):
        publisher.begin()
        info = FrameInfo(
            now_ns(),
            (1280, 720),
            frame_id=(1 << 64) - 1,
            skipped=3,
            infer_us=1 << 40,
            mode=Mode.DEGRADED,
            reasons=Reason.DARK | Reason.OVEREXPOSED,
            flags=Flag.DRIVER_TIME | Flag.REPLAY,
            scale=(2.5, 1 / 3),
            offset=(-0.25, 40),
            counts=(0, 1, 2, 3 << 62, 0, 0, 0, 1 << 62),
            identity=Indices(7, 255, 0, 3, 9, 255, 5),
            stages=Stages(-1, 2, 3, 1 << 40),
        )
        publisher.publish(info)
        welcome_of(client)
        data = client.recv(4096)
    header = decode(data)
    assert isinstance(header, FrameHeader)
    said = (header.capture_ns, header.frame_id, header.skipped, header.skipped_total)
    assert said == (info.capture_ns, info.frame_id, 3, 3)
    assert (header.mode, header.reasons) == (info.mode, info.reasons)
    assert header.flags == info.flags | Flag.PREVIEW | Flag.CONFIDENCE
    assert header.infer_us == 0xFFFFFFFF and decode_stages(data) == (0, 2, 3, 0xFFFFFFFF)
    transform = (header.scale_x, header.scale_y, header.offset_x, header.offset_y)
    assert transform == pytest.approx((*info.scale, *info.offset))
    # 3 and 1 of 4: 49151.25 and 16383.75, rounded.
    shares = [getattr(header, f"share_{category}") for category in range(8)]
    assert shares == [0, 0, 0, 49151, 0, 0, 0, 16384]
    assert frame_indices(header) == info.identity
    assert (header.mask_width, header.mask_height, header.mask_stride) == (8, 4, 8)
    assert (header.preview_width, header.preview_height, header.preview_stride) == (6, 2, 18)
    assert 0 < header.mask_offset < header.confidence_offset < header.preview_offset


# Tells when each message came.
RECEIVER = """
import socket, sys
from roadmask.system.clock import now_ns
client = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
client.connect(sys.argv[1])
while client.recv(4096):
    print(now_ns(), flush=True)
"""


def test_no_subscriber_has_a_frame_before_it_counts_as_sent(path: Path) -> None:
    before = os.sched_getaffinity(0)
    with Publisher(path, mask_size=(8, 8)) as publisher:
        try:
            # On one core the kernel may run the subscriber that `publish` wakes before it returns.
            os.sched_setaffinity(0, {min(before)})
            with process(RECEIVER, path) as receiver:
                assert receiver.stdout
                wait_for(lambda: publisher.heartbeat() or publisher.clients, "a subscriber")
                told = iter(receiver.stdout.readline, "")
                next(told), next(told)  # WELCOME, STATUS
                for _ in range(50):
                    publish(publisher)
                    assert publisher.sent_ns <= int(next(told))
        finally:
            os.sched_setaffinity(0, before)


def test_a_replay_may_leave_numbers_out_but_not_go_back(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    let_silence_be(monkeypatch)
    form = RingForm(slots=2)
    with (
        Publisher(path, mask_size=(8, 8), max_age_ms=60_000, form=form) as publisher,
        Subscriber(path, max_age_ms=60_000) as reader,
    ):
        reader.latest()  # connects
        publish(publisher)
        assert reader.latest() is not None
        publisher.begin().mask[:] = 7
        # Two slots: a slot by the number's remainder would be the one that readers read now.
        assert reader.latest() is not None
        assert publisher.publish(frame_info(), sequence=3) == 3
        mask = reader.latest()
        assert mask is not None and mask.sequence == 3 and (mask.pixels == 7).all()
        assert reader.dropped == 1
        publisher.begin()
        with pytest.raises(PublishError, match="sequence 3: expected more than 3"):
            publisher.publish(frame_info(), sequence=3)


@pytest.mark.parametrize("shift_ns", [1_000_000_000, -(10**18)])
def test_a_capture_time_that_cannot_be_is_a_fault(path: Path, shift_ns: int) -> None:
    with Publisher(path, mask_size=(8, 8)) as publisher, connect(path) as client:
        publish(publisher, capture_ns=now_ns() + shift_ns)
        welcome_of(client)
        frame = header_of(client)
        assert (frame.mode, frame.reasons) == (Mode.FAULT, Reason.BAD_TIMESTAMP)


def test_identities_are_kept_once(path: Path) -> None:
    model = Identity("net", b"\1" * 32)
    with Publisher(path, mask_size=(8, 8), identity=StreamIdentity(model=model)) as publisher:
        assert publisher.add_identity(IdentityKind.MODEL, model) == 0
        assert publisher.add_identity(IdentityKind.MODEL, Identity("next")) == 7
        with pytest.raises(PublishError, match="full"):
            for number in range(40):
                publisher.add_identity(IdentityKind.CAMERA, Identity(str(number)))
