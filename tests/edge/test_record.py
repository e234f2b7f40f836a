"""Record a stream and replay it: real processes and sockets, every pixel and field compared."""

from __future__ import annotations

import itertools
import random
import resource
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from stream_parts import PATIENCE_S, process, wait_for

from roadmask.cli import main
from roadmask.client import Subscriber
from roadmask.errors import ConfigError, DataError
from roadmask.modes import Flag, MessageType, Mode, NoMask, Reason
from roadmask.protocol import FrameHeader, Identity, Welcome
from roadmask.record import record
from roadmask.recording import Record, Recording
from roadmask.recordingfile import RecordingFile
from roadmask.replay import replay
from roadmask.synthetic import Town

pytest.importorskip("mcap")

# Each line of its input is a step: "subscriber" waits for one, "frame" publishes town mask n as
# frame n, "gap" the same with two numbers left out before it, "stamp" the same without a capture
# time, "fault" says that the camera is lost.
PUBLISHER = """
import sys, time
import numpy as np
from roadmask.clock import now_ns
from roadmask.heart import Heart
from roadmask.modes import Flag, Mode, Reason
from roadmask.protocol import Identity
from roadmask.publisher import FrameInfo, Publisher, StreamIdentity
from roadmask.synthetic import Town
labels = Identity("eight", bytes(range(32)), ((128, 64, 128), (70, 70, 70)))
identity = StreamIdentity(model=Identity("net", b"m" * 32), labels=labels)
town = Town(3, 96, 64)
with Publisher(sys.argv[1], mask_size=(96, 64), identity=identity, confidence=True, slots=32,
               preview_size=(24, 16), frame_period_ns=20_000_000, max_age_ms=60_000,
               checksum=True) as publisher, Heart(publisher):
    n = 0
    print("ready", flush=True)
    for step in map(str.strip, sys.stdin):
        if step == "subscriber":
            deadline = time.monotonic() + 60
            while not publisher.clients:
                assert time.monotonic() < deadline, "no subscriber"
                time.sleep(0.002)
        elif step == "fault":
            publisher.set_mode(Mode.FAULT, Reason.CAMERA_LOST)
        else:
            n += 1
            mask = town.frame(n).category_mask
            slot = publisher.begin()
            slot.mask[:], slot.confidence[:], slot.preview[:] = mask, n, 2 * n
            publisher.publish(FrameInfo(
                0 if step == "stamp" else now_ns() - 7_000_000, (1280, 720), frame_id=10 * n,
                skipped=n % 3, infer_us=n + 500, flags=Flag.SYNTHETIC | Flag.DRIVER_TIME,
                mode=Mode.DEGRADED if n % 2 else Mode.OK,
                reasons=Reason.THERMAL if n % 2 else Reason.NONE,
                scale=(13.25, 11.25), offset=(6.125, 5.125),
                counts=np.bincount(mask.ravel(), minlength=8).tolist(), identity=(0, 255, 255, 3),
            ), sequence=publisher.sequence + (3 if step == "gap" else 1))
        print(step, flush=True)
"""
STEPS = ("frame", "frame", "frame", "gap", "frame", "fault", "frame", "stamp", "frame", "frame")
FRAMES = len(STEPS) - 1
# What a replay cannot have in common with its recording, or must not.
OWN = {"stream_id", "capture_ns", "publish_ns", "sent_ns", "flag_bits", "skipped_total", "slot"}
OWN |= {"mask_offset", "confidence_offset", "preview_offset"}


@contextmanager
def source(socket: Path) -> Iterator[subprocess.Popen[str]]:
    """A publisher process that does what ``step`` tells it."""
    with process(PUBLISHER, socket) as publisher:
        assert publisher.stdout is not None
        assert publisher.stdout.readline().strip() == "ready"
        yield publisher


def step(publisher: subprocess.Popen[str], *names: str) -> None:
    assert publisher.stdin is not None and publisher.stdout is not None
    for name in names:
        publisher.stdin.write(f"{name}\n")
        publisher.stdin.flush()
        assert publisher.stdout.readline().strip() == name


@contextmanager
def in_background(work: Any, *arguments: Any, **named: Any) -> Iterator[dict[str, Any]]:
    """``work(...)`` in a thread; its result is in the dictionary when the block has ended."""
    stop, result = threading.Event(), dict[str, Any]()

    def body() -> None:
        result.update(work(*arguments, **named, stop=stop))

    thread = threading.Thread(target=body)
    thread.start()
    try:
        yield result
        if named.get("frames"):
            thread.join(PATIENCE_S)
    finally:
        stop.set()
        thread.join(PATIENCE_S)
    assert result, "it raised"


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("record")
    path, socket = folder / "town.mcap", folder / "s.sock"
    with (
        source(socket) as publisher,
        in_background(record, str(socket), path, frames=FRAMES) as result,
    ):
        step(publisher, "subscriber", *STEPS)
    assert result["frames"] == FRAMES
    assert result["dropped"] == 2  # the gap
    assert result["bytes"] == path.stat().st_size
    assert result["modes"] == {"OK": 4, "DEGRADED": 4, "FAULT": 1}
    return path


def read(path: Path, start_s: float = 0.0) -> list[Record]:
    with Recording(path) as recording:
        return list(recording.records(start_s))


def frames_of(records: list[Record]) -> list[FrameHeader]:
    return [r.message for r in records if r.mask is not None and isinstance(r.message, FrameHeader)]


def test_a_recording_holds_what_was_published(recorded: Path) -> None:
    records = read(recorded)
    assert isinstance(records[0].message, Welcome)
    assert records[0].message.frame_period_ns == 20_000_000
    town = Town(3, 96, 64)
    frames = [found for found in records if found.mask is not None]
    assert len(frames) == FRAMES
    for n, found in enumerate(frames, 1):
        header = found.message
        assert isinstance(header, FrameHeader)
        assert found.mask is not None and found.confidence is not None
        np.testing.assert_array_equal(found.mask, town.frame(n).category_mask)
        assert found.confidence.shape == (64, 96) and (found.confidence == n).all()
        assert found.preview is not None and found.preview.shape == (16, 24, 3)
        assert (found.preview == 2 * n).all()
        assert header.sequence == n + (2 if n > 3 else 0)
        assert (header.frame_id, header.skipped, header.infer_us) == (10 * n, n % 3, n + 500)
        assert (header.scale_x, header.offset_y) == (13.25, 5.125)
    with Recording(recorded) as recording:
        stream = frames_of(records)[0].stream_id
        assert recording.identities[stream, 0][1] == Identity("net", b"m" * 32)
        assert recording.identities[stream, 3][1].colors_rgb == ((128, 64, 128), (70, 70, 70))
        assert recording.frames == FRAMES


def test_any_mcap_reader_finds_the_times(recorded: Path) -> None:
    from mcap.reader import make_reader

    with recorded.open("rb") as file:
        reader = make_reader(file, validate_crcs=True)
        about = {entry.name: entry.metadata for entry in reader.iter_metadata()}
        unix_ns = int(about["roadmask.recording"]["unix_ns_minus_boottime_ns"])
        headers = {header.sequence: header for header in frames_of(read(recorded))}
        seen = 0
        for _, _, message in reader.iter_messages(topics="roadmask/frame"):
            header = headers[message.sequence]
            assert message.publish_time == header.publish_ns + unix_ns
            taken_ns = header.capture_ns or header.publish_ns
            assert message.log_time == taken_ns + unix_ns
            seen += 1
    assert seen == FRAMES
    assert about["roadmask.totals"] == {
        **{"frames": str(FRAMES), "dropped": "2", "streams": "1"},
        "statuses": about["roadmask.totals"]["statuses"],
    }


def test_a_replay_is_the_recording_again(recorded: Path, tmp_path: Path) -> None:
    first = read(recorded)
    span_s = (frames_of(first)[-1].sent_ns - frames_of(first)[0].sent_ns) / 1e9
    again, socket = tmp_path / "again.mcap", tmp_path / "s.sock"
    with in_background(record, str(socket), again, frames=FRAMES) as result:
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
        wait_for(lambda: (m := test_bench.latest()) and m.sequence > 2 * FRAMES + 4, "a round more")
        assert test_bench.latest().frame_id <= 10 * FRAMES  # type: ignore[union-attr]

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


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_recorder_that_is_ended(number: int, tmp_path: Path) -> None:
    socket, path = tmp_path / "s.sock", tmp_path / "cut.mcap"
    partial = tmp_path / "cut.mcap.partial"
    command = [sys.executable, "-m", "roadmask", "record", "--socket", socket, "--out", path]
    with source(socket) as publisher:
        recorder = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        step(publisher, "subscriber", "frame", "frame", "frame")
        assert partial.exists() and not path.exists()
        recorder.send_signal(number)
        out, err = recorder.communicate(timeout=PATIENCE_S)
    if number == signal.SIGKILL:
        assert partial.exists() and not path.exists()
        with pytest.raises(ConfigError, match=r"cut\.mcap\.partial exists"):
            RecordingFile(path)
    else:
        assert recorder.returncode == 0, err
        assert not partial.exists()
        assert len(frames_of(read(path))) == int(out.split()[1])


@pytest.fixture
def signals() -> Iterator[None]:
    """``main`` sets handlers: put the old ones back."""
    old = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in old.items():
        signal.signal(number, handler)


def refuse(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """The one line of a command that must fail with exit code 2."""
    assert main(list(map(str, arguments))) == 2
    lines = capsys.readouterr().err.splitlines()
    assert lines[-1].startswith("roadmask: ")
    assert sum(line.startswith("roadmask:") or "Traceback" in line for line in lines) == 1
    return lines[-1]


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
    make: Any, says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], signals: None
) -> None:
    path = tmp_path / "a.mcap"
    make(path)
    assert says in refuse(capsys, "replay", path, "--socket", tmp_path / "s.sock")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--speed", "0"), "--speed 0: expected more than 0"),
        (("--speed", "nan"), "--speed nan"),
        (("--start", "-1"), "--start -1: expected 0 or more"),
        (("--start", "1000"), "none to replay after 1000 s"),
    ],
)
def test_unusable_arguments_of_replay(
    arguments: tuple[str, ...],
    says: str,
    recorded: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    signals: None,
) -> None:
    line = refuse(capsys, "replay", recorded, "--socket", tmp_path / "s.sock", *arguments)
    assert says in line


def test_what_cannot_be_recorded(
    recorded: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], signals: None
) -> None:
    nobody = ("--socket", tmp_path / "nobody.sock", "--wait", 0)
    line = refuse(capsys, "record", *nobody, "--out", tmp_path / "none" / "a.mcap")
    assert "No such file or directory; give a file in a writable folder" in line
    assert "exists: remove it" in refuse(capsys, "record", *nobody, "--out", recorded)
    line = refuse(capsys, "record", *nobody, "--out", tmp_path / "a.mcap", "--frames", -1)
    assert "--frames -1: expected 0" in line
    assert "no stream at" in refuse(capsys, "record", *nobody, "--out", tmp_path / "a.mcap")
    assert list(tmp_path.iterdir()) == []


def test_without_mcap_the_extra_is_named(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    signals: None,
) -> None:
    monkeypatch.setitem(sys.modules, "mcap", None)
    monkeypatch.setitem(sys.modules, "mcap.reader", None)
    line = refuse(capsys, "replay", tmp_path / "a.mcap", "--socket", tmp_path / "s.sock")
    assert "pip install 'roadmask[record]'" in line


def test_a_full_disk_is_one_line_and_keeps_what_was_written(recorded: Path, tmp_path: Path) -> None:
    frame = next(r for r in read(recorded) if r.mask is not None)
    noise = np.random.default_rng(1).integers(0, 256, 2_000_000, np.uint8).tobytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    with pytest.raises(ConfigError, match=r"File too large after 2 frames: make room"):
        try:
            with RecordingFile(tmp_path / "a.mcap") as file:
                file.add(frame.message, noise)
                resource.setrlimit(resource.RLIMIT_FSIZE, (3_000_000, limits[1]))
                file.add(frame.message, noise)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert [path.name for path in tmp_path.iterdir()] == ["a.mcap.partial"]
    from mcap.records import Message
    from mcap.stream_reader import StreamReader

    with (tmp_path / "a.mcap.partial").open("rb") as partial:
        kept = (r for r in StreamReader(partial).records if isinstance(r, Message))
        assert next(kept).data == noise


def test_a_damaged_recording_is_named_or_whole(recorded: Path, tmp_path: Path) -> None:
    whole, path = recorded.read_bytes(), tmp_path / "a.mcap"
    for length in range(8, len(whole), len(whole) // 40):
        path.write_bytes(whole[:length])
        with pytest.raises(DataError, match=r"cut off|cannot be read"):
            read(path)
    random.seed(4)
    refused = 0
    for _ in range(150):
        damaged = bytearray(whole)
        for _ in range(random.choice((1, 1, 8))):
            damaged[random.randrange(8, len(whole))] = random.randrange(256)
        path.write_bytes(damaged)
        try:
            read(path)
        except DataError as error:
            assert str(path) in str(error)
            refused += 1
    assert refused > 100  # bytes of indices that nobody asks for may change unseen
    shutil.copy(recorded, path)
    assert len(frames_of(read(path))) == FRAMES
