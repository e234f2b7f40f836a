"""How a far end judges what came; Zenoh is left out, and the clock is the test's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from bridge_parts import FRAME, WELCOME

from roadmask._native import Policy
from roadmask.bridge import wire
from roadmask.bridge.remote_stream import RemoteStream
from roadmask.stream.modes import Flag, MessageType, Mode, NoMask, Reason
from roadmask.stream.protocol import FrameHeader, Identity, IdentityKind, encode_identity
from roadmask.stream.subscribe.mask import Planes

MS = 1_000_000
AHEAD = 3_600_000 * MS  # the bridge's clock
EPOCH = 42


class Payload:
    def __init__(self, data: bytes) -> None:
        self._data = data

    def to_bytes(self) -> bytes:
        return self._data


class FarEnd:
    """A stream whose network and clock are this test's; ``now_ns`` is the far end's time."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now_ns = 1_000_000 * MS
        for module in ("bridge.remote_stream", "stream.subscribe.transport"):
            monkeypatch.setattr(f"roadmask.{module}.now_ns", lambda: self.now_ns)
        self.stream = RemoteStream("car", allowance_ns=100 * MS)
        self.samples: dict[str, tuple[bytes, Any]] = {}
        self.answers: list[tuple[int, bytes, int]] = []
        self.asked = 0
        monkeypatch.setattr(self.stream.inbox, "take", self._take)
        monkeypatch.setattr(self.stream.inbox, "ask", self._ask)

    def _take(self) -> Any:
        taken = self.samples, self.answers
        self.samples, self.answers = {}, []
        return taken

    def _ask(self) -> None:
        self.asked += 1

    def answer(self, epoch: int = EPOCH, step_ns: int = 0) -> None:
        entry = encode_identity(IdentityKind.MODEL, Identity("m"))
        clock_ns = self.now_ns + AHEAD + step_ns - MS
        data = wire.encode_about(epoch, clock_ns, wire.about_stream(WELCOME, entry))
        self.answers.append((self.now_ns - 2 * MS, data, self.now_ns))

    def header(self, sequence: int = 3, **changes: Any) -> FrameHeader:
        there_ns = self.now_ns + AHEAD
        times = {
            "capture_ns": there_ns - 30 * MS,
            "publish_ns": there_ns - 11 * MS,
            "sent_ns": there_ns - 11 * MS,
        }
        return FRAME._replace(sequence=sequence, **{**times, **changes})

    def frame(self, header: FrameHeader, epoch: int = EPOCH, value: int = 1) -> None:
        png = wire.encode_mask(np.full((32, 64), value, np.uint8))
        data = wire.encode_header(header, epoch, MessageType.FRAME)
        self.samples[wire.MASK] = data, Payload(png)

    def status(self, header: FrameHeader, epoch: int = EPOCH) -> None:
        data = wire.encode_header(header, epoch, MessageType.STATUS)
        self.samples[wire.STATUS] = data, Payload(b"")

    def pump(self, after_ms: int = 0) -> RemoteStream:
        self.now_ns += after_ms * MS
        self.stream.pump()
        return self.stream


@pytest.fixture
def far(monkeypatch: pytest.MonkeyPatch) -> FarEnd:
    return FarEnd(monkeypatch)


def test_stamps_are_moved_so_that_no_age_is_too_small(far: FarEnd) -> None:
    far.answer()
    far.frame(far.header())
    stream = far.pump()
    assert stream.frame is not None and stream.ring is not None
    # Truly 30 ms old; asked 2 ms before the answer, the offset is known to 2 ms and is moved by
    # its upper end: 1 ms too much, and 2 us of drift.
    assert far.now_ns - stream.frame.capture_ns == pytest.approx(31 * MS, abs=5000)
    assert far.now_ns - stream.frame.capture_ns >= 30 * MS


def test_a_later_status_hides_no_frame_and_says_the_mode(far: FarEnd) -> None:
    far.answer()
    header = far.header()
    far.frame(header)
    fault = int(Mode.FAULT | Reason.CAMERA_LOST)
    far.status(header._replace(sent_ns=header.sent_ns + MS, mode_bits=fault))
    stream = far.pump()
    assert stream.frame is not None and stream.frame.sequence == 3
    assert stream.status is not None and stream.status.mode == Mode.FAULT


def test_newest_wins_by_its_stamp_not_by_arrival(far: FarEnd) -> None:
    far.answer()
    newer, older = far.header(9), far.header(8)
    far.frame(newer, value=2)
    far.pump()
    far.frame(older._replace(sent_ns=newer.sent_ns - 1, publish_ns=newer.sent_ns - 1), value=3)
    stream = far.pump(1)
    assert stream.frame is not None and stream.frame.sequence == 9
    assert stream.frame_bytes is not None
    planes = stream.take(stream.frame_bytes, Policy(True, False, 0, b""), 250 * MS, False)
    assert isinstance(planes, Planes) and (planes.mask == 2).all()


def test_a_reason_that_is_refused_is_refused_here_too(far: FarEnd) -> None:
    far.answer()
    far.frame(far.header(mode_bits=int(Mode.DEGRADED | Reason.DARK)))
    stream = far.pump()
    refusing, taking = (Policy(True, False, bits, b"") for bits in (int(Reason.DARK), 0))
    frame = stream.frame_bytes
    assert frame is not None
    assert stream.take(frame, refusing, 250 * MS, False) is NoMask.REFUSED
    assert isinstance(stream.take(frame, taking, 250 * MS, False), Planes)


def test_without_a_measured_clock_there_is_no_mask(far: FarEnd) -> None:
    far.frame(far.header())
    assert far.pump().reason is NoMask.NO_CLOCK
    far.answer(epoch=EPOCH + 1)  # of another bridge
    assert far.pump().reason is NoMask.NO_CLOCK
    far.answer()
    far.frame(far.header(4))
    assert far.pump(1).reason is NoMask.NONE


def test_an_estimate_ends(far: FarEnd) -> None:
    far.answer()
    far.frame(far.header())
    assert far.pump().reason is NoMask.NONE
    far.frame(far.header(4, sent_ns=far.now_ns + AHEAD + 9_000 * MS))
    assert far.pump(9_500).reason is NoMask.NONE
    far.frame(far.header(5))
    assert far.pump(1_000).reason is NoMask.NO_CLOCK


def test_the_bridges_next_epoch_is_measured_anew(far: FarEnd) -> None:
    far.answer()
    far.frame(far.header())
    assert far.pump().reason is NoMask.NONE
    far.frame(far.header(4), epoch=EPOCH + 1)
    assert far.pump(33).reason is NoMask.NO_CLOCK
    far.answer(epoch=EPOCH + 1)
    assert far.pump().reason is NoMask.NONE


@pytest.mark.parametrize("step_ms", [5_000, -5_000])
def test_a_stepped_clock_is_given_up_with_all_that_came_before(far: FarEnd, step_ms: int) -> None:
    far.answer()
    far.frame(far.header())
    assert far.pump().reason is NoMask.NONE
    far.answer(step_ns=step_ms * MS)
    stream = far.pump(100)
    assert stream.ring is None and stream.frame is None
    header = far.header(4)
    times = {n: getattr(header, n) + step_ms * MS for n in ("capture_ns", "publish_ns", "sent_ns")}
    far.frame(header._replace(**times))
    stream = far.pump()
    assert stream.frame is not None
    assert 30 * MS <= far.now_ns - stream.frame.capture_ns <= 32 * MS


def test_a_stamp_of_the_future_is_malformed(far: FarEnd) -> None:
    far.answer()
    far.frame(far.header(sent_ns=far.now_ns + AHEAD + 500 * MS))
    stream = far.pump()
    assert stream.reason is NoMask.MALFORMED and stream.error is not None
    assert stream.error.check == "clock"


def test_an_identity_that_is_missing_is_asked_for_soon(far: FarEnd) -> None:
    far.answer()
    far.frame(far.header())  # refers to entries 0 to 3, the answer had one
    far.pump()
    asked, stream = far.asked, far.pump(1)
    assert stream.wait_ns() <= 50 * MS
    far.pump(50)
    assert far.asked == asked + 1


def test_a_note_ends_the_stream_and_a_frame_begins_it(far: FarEnd) -> None:
    far.answer()
    far.frame(far.header())
    assert far.pump().ring is not None
    note = wire.Note(EPOCH, far.now_ns + AHEAD, NoMask.CONNECTION_LOST, "the publisher is gone")
    attachment, text = wire.encode_note(note)
    far.samples[wire.STATUS] = attachment, Payload(text)
    stream = far.pump(1)
    assert (stream.ring, stream.reason) == (None, NoMask.CONNECTION_LOST)
    assert "the publisher is gone" in stream.detail
    far.now_ns += 33 * MS
    far.frame(far.header(4, flag_bits=int(Flag.NONE)))
    assert far.pump().ring is not None


def test_a_bridge_that_says_nothing_is_silent(far: FarEnd) -> None:
    far.answer()
    far.frame(far.header())
    far.pump()
    assert far.pump(999).ring is not None  # the reader's own limit comes first
    assert far.pump(2).reason is NoMask.SILENT
