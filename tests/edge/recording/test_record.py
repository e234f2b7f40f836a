"""Record a stream: a real publisher process and socket, every pixel and field compared."""

from __future__ import annotations

import random
import resource
import shutil
import signal
import subprocess
import sys
from pathlib import Path

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
from stream_parts import PATIENCE_S, publish, wait_for

from roadmask.errors import ConfigError, DataError
from roadmask.recording.reader import Recording
from roadmask.recording.recorder import record
from roadmask.recording.writer import RecordingFile
from roadmask.stream.protocol import FrameHeader, Identity, Welcome
from roadmask.stream.publish.publisher import Publisher, RingForm
from roadmask.town.town import Town

pytest.importorskip("mcap")


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_recording(tmp_path_factory.mktemp("record"))


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


def test_what_cannot_be_recorded(
    recorded: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    nobody = ("--socket", tmp_path / "nobody.sock", "--wait", 0)
    line = refuse(capsys, "record", *nobody, "--out", tmp_path / "none" / "a.mcap")
    assert "No such file or directory; give a file in a writable folder" in line
    assert "exists: remove it" in refuse(capsys, "record", *nobody, "--out", recorded)
    line = refuse(capsys, "record", *nobody, "--out", tmp_path / "a.mcap", "--frames", -1)
    assert "--frames -1: expected a whole number, 0 or more" in line
    assert "no stream at" in refuse(capsys, "record", *nobody, "--out", tmp_path / "a.mcap")
    assert list(tmp_path.iterdir()) == []


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
        assert next(m.data for m in kept if len(m.data) == len(noise)) == noise


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


def test_a_late_recorder_begins_with_what_the_ring_holds(tmp_path: Path) -> None:
    path, out = tmp_path / "s.sock", tmp_path / "late.mcap"
    with Publisher(path, mask_size=(8, 8), form=RingForm(slots=4)) as publisher:
        for value in range(1, 7):
            publish(publisher, value)
        publisher.begin()  # 3 is written over from now on
        with in_background(record, str(path), out, frames=4) as result:
            wait_for(lambda: (publisher.heartbeat(), publisher.clients)[1], "a recorder")
            publish(publisher, 7)
    assert [frame.sequence for frame in frames_of(read(out))] == [4, 5, 6, 7]
    assert result["dropped"] == 0  # what was gone before is no loss of the recorder's
