"""Videos: every frame in order, damaged ones told, in real time, in memory of their own."""

from __future__ import annotations

import subprocess
import sys
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import pytest
from source_parts import SIZE, difference, read_all, write_video

from roadmask.errors import CaptureError
from roadmask.sources import (
    EndOfStream,
    SourceKind,
    open_source,
    pace,
)
from roadmask.sources.buffers import BufferPool
from roadmask.sources.pace import Pace


def test_a_video_gives_every_frame_in_order(video: Path, town_images: list[np.ndarray]) -> None:
    source = open_source(f"{video}?realtime=0")
    assert (source.kind, source.size, source.fps) == (SourceKind.FILE, SIZE, 12.5)
    frames = read_all(source)
    assert [frame.frame_id for frame in frames] == list(range(12))
    # Kept frames are not overwritten by later ones: each is nearest to its own original.
    for frame in frames:
        errors = [difference(frame.image, image) for image in town_images]
        assert int(np.argmin(errors)) == frame.frame_id
        assert not frame.driver_time


def test_a_video_can_go_round(video: Path) -> None:
    with open_source(f"{video}?realtime=0&loop=1") as source:
        frames = list(islice(source, 26))
    assert [frame.frame_id for frame in frames] == list(range(26))
    assert difference(frames[0].image, frames[24].image) == 0


@pytest.mark.parametrize("size", [(161, 97), (33, 21)])
def test_odd_sizes(tmp_path: Path, town_images: list[np.ndarray], size: tuple[int, int]) -> None:
    images = [cv2.resize(image, size) for image in town_images[:3]]
    frames = read_all(
        open_source(f"{write_video(tmp_path / 'odd.avi', images, 'MJPG')}?realtime=0")
    )
    assert [frame.image.shape for frame in frames] == [(size[1], size[0], 3)] * 3


def test_a_greyscale_video_becomes_three_channels(
    tmp_path: Path, town_images: list[np.ndarray]
) -> None:
    images = [cv2.cvtColor(image, cv2.COLOR_BGR2GRAY) for image in town_images[:3]]
    path = write_video(tmp_path / "grey.avi", images, "MJPG")
    frames = read_all(open_source(f"{path}?realtime=0"))
    assert len(frames) == 3 and frames[0].image.shape == (SIZE[1], SIZE[0], 3)
    assert difference(frames[0].image[..., 1], images[0]) < 5


def test_a_truncated_video_ends(
    tmp_path: Path, town_images: list[np.ndarray], caplog: pytest.LogCaptureFixture
) -> None:
    path = write_video(tmp_path / "whole.avi", town_images, "MJPG")
    cut = tmp_path / "cut.avi"
    cut.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    frames = read_all(open_source(f"{cut}?realtime=0"))
    assert 0 < len(frames) < 12
    assert f"ends after {len(frames)} of 12 frames: cut off or damaged" in caplog.text


def test_an_mp4_without_its_index_does_not_open(video: Path) -> None:
    video.write_bytes(video.read_bytes()[: video.stat().st_size // 2])
    with pytest.raises(CaptureError, match="no frame of it can be decoded"):
        open_source(str(video))


@pytest.mark.parametrize(
    ("content", "why"),
    [(b"", "it is empty"), (b"not a video" * 1000, "no frame of it can be decoded")],
)
def test_a_corrupt_video_does_not_open(tmp_path: Path, content: bytes, why: str) -> None:
    path = tmp_path / "bad.mp4"
    path.write_bytes(content)
    with pytest.raises(CaptureError, match=why):
        open_source(str(path))


def test_no_line_of_opencv_disturbs_the_error(tmp_path: Path) -> None:
    path = tmp_path / "bad.mp4"
    path.write_bytes(b"not a video" * 1000)
    # In a process of its own: FFmpeg asks once how much to say, and here it was used before.
    code = f"from roadmask.sources import open_source\nopen_source({str(path)!r})"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert run.stdout == "" and run.stderr.startswith("Traceback")
    assert "CaptureError" in run.stderr.splitlines()[-1]


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(CaptureError, match=r"drive.mp4 cannot be read: No such file"):
        open_source(str(tmp_path / "drive.mp4"))


def test_the_clock_releases_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [7_000_000_000]
    monkeypatch.setattr(pace, "now_ns", lambda: clock[0])
    schedule = Pace(fps=10.0, realtime=True)
    assert schedule.next(0.0) == 0  # starts the clock
    assert schedule.next(0.0) is None  # frame 1 is due in 100 ms
    clock[0] += 100_000_000
    assert schedule.next(0.0) == 1
    clock[0] += 350_000_000  # at 450 ms frame 4 is due since 400 ms; 2 and 3 are missed
    assert schedule.next(0.0) == 4
    assert schedule.next(0.0) is None


def test_without_the_clock_every_frame_is_due(monkeypatch: pytest.MonkeyPatch) -> None:
    schedule = Pace(fps=0.01, realtime=False)
    assert [schedule.next(0.0) for _ in range(3)] == [0, 1, 2]


def test_a_late_reader_of_a_video_skips(
    video: Path, town_images: list[np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [0]
    monkeypatch.setattr(pace, "now_ns", lambda: clock[0])
    with open_source(str(video)) as source:
        assert source.read(0.0) is not None
        clock[0] = 580_000_000  # 7.25 periods of 80 ms
        frame = source.read(0.0)
        assert frame is not None and frame.frame_id == 7
        assert source.read(0.0) is None
        clock[0] = 2_000_000_000
        with pytest.raises(EndOfStream):
            source.read(0.0)
    errors = [difference(frame.image, image) for image in town_images]
    assert int(np.argmin(errors)) == 7


def test_memory_is_used_again_only_when_nobody_looks() -> None:
    pool = BufferPool()
    first = pool.take(4, 6, 3)
    assert pool.take(4, 6, 3) is not first  # held by ``first``
    corner, address = first[:2], first.ctypes.data
    del first
    assert pool.take(4, 6, 3).ctypes.data != address  # held by the view
    del corner
    assert pool.take(4, 6, 3).ctypes.data == address
    assert pool.take(2, 2, 3).shape == (2, 2, 3)


def test_a_steady_reader_of_a_video_allocates_no_pictures(video: Path) -> None:
    with open_source(f"{video}?realtime=0&loop=1") as source:
        addresses = {frame.image.ctypes.data for frame in islice(source, 40)}
    assert len(addresses) <= 3
