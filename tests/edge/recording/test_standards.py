"""A bag of ROS 2 beside a recording: every message, read by libraries that are not the writer's."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from interop_parts import VEHICLE, daemon
from record_parts import refuse

from roadmask.recording.reader import Recording
from roadmask.recording.recorder import record
from roadmask.stream.protocol import FrameHeader

pytest.importorskip("rosbags", reason="the extra [ros2] is not installed")
FRAMES = 12
COUNTS = {
    "/roadmask/mask": FRAMES,
    "/roadmask/camera_info": FRAMES,
    "/roadmask/grid": FRAMES,
    "/diagnostics": 1,
}


def drive(folder: Path, **standards: Any) -> tuple[Path, Path]:
    out, bag = folder / "drive.mcap", folder / "drive_ros2.mcap"
    with daemon(folder / "masks.sock"):
        done = record(
            str(folder / "masks.sock"), out, frames=FRAMES, ros2=bag, stop=threading.Event(),
            **standards,
        )  # fmt: skip
    assert done["frames"] == FRAMES
    return out, bag


def ours(out: Path) -> list[tuple[FrameHeader, Any]]:
    with Recording(out) as recording:
        return [
            (one.message, one.mask)
            for one in recording.records()
            if one.mask is not None and isinstance(one.message, FrameHeader)
        ]


def test_rosbags_reads_every_message(tmp_path: Path) -> None:
    from rosbags.highlevel import AnyReader

    out, bag = drive(tmp_path)
    masks, seen = ours(out), dict[str, list[Any]]()
    with AnyReader([bag]) as reader:  # knows the types by the definitions in the file
        assert {one.topic: one.msgcount for one in reader.connections} == COUNTS
        for connection, log_ns, data in reader.messages():
            message: Any = reader.deserialize(data, connection.msgtype)
            seen.setdefault(connection.topic, []).append(message)
            stamp = message.header.stamp
            assert stamp.sec * 10**9 + stamp.nanosec == log_ns
    assert {topic: len(found) for topic, found in seen.items()} == COUNTS
    for image, (header, mask) in zip(seen["/roadmask/mask"], masks, strict=True):
        assert (image.encoding, image.width, image.height) == ("mono8", 96, 64)
        assert np.array_equal(image.data.reshape(64, 96), mask)
        assert header.mask_width == image.step
    assert VEHICLE in seen["/roadmask/mask"][0].data
    assert {one.key: one.value for one in seen["/diagnostics"][0].status[0].values}["flags"] == (
        "SYNTHETIC|PREVIEW"
    )


def test_mcap_with_ros2_support_reads_every_message(tmp_path: Path) -> None:
    from mcap.reader import make_reader
    from mcap_ros2.decoder import DecoderFactory

    out, bag = drive(tmp_path, foxglove=True)
    counts = dict[str, int]()
    with bag.open("rb") as file:
        reader = make_reader(file, decoder_factories=[DecoderFactory()], validate_crcs=True)
        for schema, channel, _, message in reader.iter_decoded_messages():
            assert schema is not None and schema.encoding == "ros2msg"
            assert message.header.frame_id in ("camera", "vehicle", "")
            counts[channel.topic] = counts.get(channel.topic, 0) + 1
    assert counts == COUNTS
    assert len(ours(out)) == FRAMES  # the recording itself, with Foxglove's messages in it


def test_a_bag_that_cannot_be_written_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bag = tmp_path / "bag.mcap"
    bag.write_bytes(b"")
    arguments = ("record", "--socket", tmp_path / "s", "--out", tmp_path / "d.mcap")
    assert f"--ros2 {bag} exists" in refuse(capsys, *arguments, "--ros2", bag)
    assert [one.name for one in tmp_path.iterdir()] == ["bag.mcap"]  # nothing half-written
