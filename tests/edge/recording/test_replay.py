"""Replay a recording: real processes and sockets, and the recording of the replay compared."""

from __future__ import annotations

import itertools
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from record_parts import (
    FRAMES,
    frames_of,
    in_background,
    make_recording,
    read,
    refuse,
    source,
    step,
)
from stream_parts import PATIENCE_S, wait_for

from roadmask.recording.reader import Record, Recording
from roadmask.recording.recorder import record
from roadmask.recording.replay import replay
from roadmask.recording.writer import RecordingFile
from roadmask.stream.modes import Flag, MessageType, Mode, NoMask, Reason
from roadmask.stream.protocol import FrameHeader, Identity
from roadmask.stream.subscribe.subscriber import Subscriber

pytest.importorskip("mcap")

# What a replay cannot have in common with its recording, or must not.
OWN = {"stream_id", "capture_ns", "publish_ns", "sent_ns", "flag_bits", "skipped_total", "slot"}
OWN |= {"mask_offset", "confidence_offset", "preview_offset"}


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_recording(tmp_path_factory.mktemp("record"))


def test_a_replay_is_the_recording_again(recorded: Path, tmp_path: Path) -> None:
    first = read(recorded)
    span_s = (frames_of(first)[-1].sent_ns - frames_of(first)[0].sent_ns) / 1e9
    again, socket = tmp_path / "again.mcap", tmp_path / "s.sock"
    with in_background(record, str(socket), again, frames=FRAMES, wait_s=60) as result:
        # Slow enough that a busy machine's reader is not lapped.
        replayed = replay(
            *(recorded, str(socket)), speed=span_s / 3, subscribers=1, stop=threading.Event()
        )
    assert replayed == {"frames": FRAMES, "streams": 1}
    assert result["dropped"] == 2  # the gap is a gap again
    second = read(again)
    for old, new in zip(frames_of(first), frames_of(second), strict=True):
        differ = {name for name in old._fields if getattr(old, name) != getattr(new, name)}
        assert differ <= OWN
        assert new.flags == old.flags | Flag.REPLAY
        if old.capture_ns:
            late_ns = (new.publish_ns - new.capture_ns) - (old.publish_ns - old.capture_ns)
            assert late_ns >= 0  # its age, and the few microseconds of publishing
        else:
            assert new.capture_ns == 0 and new.reasons & Reason.BAD_TIMESTAMP
    for old_frame, new_frame in zip(planes(first), planes(second), strict=True):
        for old_plane, new_plane in zip(old_frame, new_frame, strict=True):
            np.testing.assert_array_equal(old_plane, new_plane)
    assert story(second) == story(first)
    assert Mode.FAULT | Reason.CAMERA_LOST in {bits for _, bits in story(second)}
    sent = [found.message.sent_ns for found in second]
    assert sent == sorted(sent)
    with Recording(recorded) as a, Recording(again) as b:
        names = [sorted(e[1].name for e in r.identities.values()) for r in (a, b)]
        assert names[0] == names[1] == ["eight", "net"]


def planes(records: list[Record]) -> list[tuple[Any, ...]]:
    return [(r.mask, r.confidence, r.preview) for r in records if r.mask is not None]


def story(records: list[Record]) -> list[tuple[int, int]]:
    """Sequence and mode of frames and of changes in between, from the first frame on."""
    headers = [r.message for r in records if isinstance(r.message, FrameHeader)]
    headers = [header for header in headers if header.type != MessageType.BYE]
    told = [(header.sequence, header.mode_bits) for header in headers if header.sequence]
    # A heartbeat after the frame without a capture time says STALE, if there is time for one.
    own = Mode.STALE | Reason.NO_NEW_FRAME
    return [key for key, _ in itertools.groupby(told) if key[1] != own]


def test_a_replay_is_never_live_and_goes_on_in_a_loop(recorded: Path, tmp_path: Path) -> None:
    socket = tmp_path / "s.sock"
    with (
        in_background(replay, recorded, str(socket), loop=True),
        Subscriber(socket) as road,
        Subscriber(socket, allow_not_live=True, max_age_ms=60_000) as test_bench,
    ):
        mask = wait_for(test_bench.latest, "a replayed mask")
        assert mask.flags & Flag.REPLAY and not mask.live
        assert mask.model == Identity("net", b"m" * 32)
        # Every frame of the first round has a number up to FRAMES + 2: this is a later round.
        later = wait_for(
            lambda: (m := test_bench.latest()) and m.sequence > 2 * FRAMES + 4 and m, "a round more"
        )
        assert later.frame_id <= 10 * FRAMES

        def refused() -> bool:
            assert road.latest() is None
            return road.reason == NoMask.NOT_LIVE

        wait_for(refused, "the reason")


def test_a_seek_leaves_out_what_was_before(recorded: Path, tmp_path: Path) -> None:
    frames = frames_of(read(recorded))
    with Recording(recorded) as recording:
        begin_ns = next(recording.records()).message.sent_ns  # the WELCOME, or a frame's capture
    begin_ns = min(begin_ns, frames[0].capture_ns)
    start_s = (frames[4].capture_ns - begin_ns - 1000) / 1e9
    rest = frames_of(read(recorded, start_s))
    assert [header.frame_id for header in rest] == [50, 60, 70, 80, 90]
    socket, again = tmp_path / "s.sock", tmp_path / "again.mcap"
    with in_background(record, str(socket), again, frames=2):
        replay(
            *(recorded, str(socket)),
            **{"start_s": start_s, "frames": 2, "subscribers": 1, "speed": 0.1},
            stop=threading.Event(),
        )
    assert [header.frame_id for header in frames_of(read(again))] == [50, 60]


def test_a_daemon_that_came_back_is_two_streams(tmp_path: Path) -> None:
    socket, path, again = tmp_path / "s.sock", tmp_path / "two.mcap", tmp_path / "again.mcap"
    with in_background(record, str(socket), path, wait_s=60) as result:
        for _ in range(2):
            with source(socket) as publisher:
                step(publisher, "subscriber", "frame", "frame")
                assert publisher.stdin is not None
                publisher.stdin.close()  # it says BYE
                publisher.stdin = None
                publisher.wait(PATIENCE_S)
    assert (result["streams"], result["frames"]) == (2, 4)
    byes = [r for r in read(path) if r.message.type == MessageType.BYE]
    assert [r.message.reasons for r in byes] == [Reason.SHUTDOWN] * 2  # type: ignore[union-attr]
    with in_background(record, str(socket), again, wait_s=60) as result:
        replayed = replay(path, str(socket), subscribers=1, stop=threading.Event())
    assert replayed == {"frames": 4, "streams": 2}
    assert (result["streams"], result["frames"]) == (2, 4)


def other_mcap(path: Path, profile: str, version: str | None) -> None:
    from mcap.writer import Writer

    writer = Writer(str(path))
    writer.start(profile)
    if version:
        writer.add_metadata("roadmask.recording", {"version": version})
    writer.finish()


def empty(path: Path) -> None:
    with RecordingFile(path):
        pass


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda path: None, "No such file"),
        (lambda path: path.mkdir(), "Is a directory"),
        (lambda path: path.write_bytes(b""), "is no recording"),
        (lambda path: path.write_bytes(b"\x89PNG" + bytes(500)), "is no recording"),
        (lambda path: other_mcap(path, "ros2", None), "holds 'ros2' data"),
        (lambda path: other_mcap(path, "roadmask", "2"), "has format '2'"),
        (empty, "holds 0 frames"),
    ],
)
def test_what_cannot_be_replayed(
    make: Any,
    says: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = tmp_path / "a.mcap"
    make(path)
    assert says in refuse(capsys, "replay", path, "--socket", tmp_path / "s.sock")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--speed", "0"), "--speed 0: expected a number from 0.01 to 100"),
        (("--speed", "nan"), "--speed nan"),
        (("--start", "-1"), "--start -1: expected a number from 0 to"),
        (("--start", "1000"), "none to replay after 1000 s"),
    ],
)
def test_unusable_arguments_of_replay(
    arguments: tuple[str, ...],
    says: str,
    recorded: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    line = refuse(capsys, "replay", recorded, "--socket", tmp_path / "s.sock", *arguments)
    assert says in line


def test_without_mcap_the_extra_is_named(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setitem(sys.modules, "mcap", None)
    monkeypatch.setitem(sys.modules, "mcap.reader", None)
    line = refuse(capsys, "replay", tmp_path / "a.mcap", "--socket", tmp_path / "s.sock")
    assert "pip install 'roadmask[record]'" in line
