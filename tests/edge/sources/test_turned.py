"""Turned pictures: every combination, every layout, and the map that subscribers measure by."""

from __future__ import annotations

import itertools
import threading
from pathlib import Path

import cv2
import numpy as np
import pytest

from roadmask.arrays import U8
from roadmask.daemon.config import DaemonConfig
from roadmask.daemon.pipeline import open_pipeline
from roadmask.errors import ConfigError
from roadmask.sources import Frame, Source, SourceKind, open_source
from roadmask.sources.turn import Turn
from roadmask.sources.turned import TurnedSource
from roadmask.stream.subscribe.subscriber import Subscriber

WIDTH, HEIGHT = 96, 64
TURNS = list(itertools.product((0, 90, 180, 270), (0, 1), (0, 1)))


@pytest.fixture(scope="module")
def picture() -> U8:
    return np.random.default_rng(3).integers(0, 256, (HEIGHT, WIDTH, 3)).astype(np.uint8)


def expected(image: U8, rotate: int, hflip: int, vflip: int) -> U8:
    turned = np.rot90(image, -rotate // 90)
    turned = turned[:, ::-1] if hflip else turned
    return turned[::-1] if vflip else turned


@pytest.mark.parametrize(("rotate", "hflip", "vflip"), TURNS)
def test_clockwise_then_mirrored(
    picture: U8, rotate: int, hflip: int, vflip: int, tmp_path: Path
) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), picture)
    uri = f"{tmp_path}?realtime=0&rotate={rotate}&hflip={hflip}&vflip={vflip}"
    wanted = expected(picture, rotate, hflip, vflip)
    with open_source(uri) as source:
        (frame,) = source
        np.testing.assert_array_equal(frame.image, wanted)
        assert frame.size == source.size == (wanted.shape[1], wanted.shape[0])
        assert f"rotate={rotate}" in source.name


class RawSource(Source):
    """Gives one picture in a layout that only the preprocessing kernel reads."""

    kind, uri, name, fps, size = SourceKind.FILE, "raw", "raw", 30.0, (WIDTH, HEIGHT)

    def __init__(self, image: U8, layout: str) -> None:
        self._frame = Frame(image, 0, 0, layout=layout, size=self.size)

    def read(self, timeout_s: float) -> Frame:
        return self._frame

    def describe(self) -> str:
        return "raw"


@pytest.mark.parametrize("layout", ["grey", "nv12", "yuyv"])
def test_raw_layouts(layout: str, picture: U8) -> None:
    shapes = {
        "grey": (HEIGHT, WIDTH), "nv12": (HEIGHT * 3 // 2, WIDTH), "yuyv": (HEIGHT, WIDTH, 2),
    }  # fmt: skip
    codes = {
        "grey": cv2.COLOR_GRAY2BGR,
        "nv12": cv2.COLOR_YUV2BGR_NV12,
        "yuyv": cv2.COLOR_YUV2BGR_YUYV,
    }
    raw = np.resize(picture.ravel(), shapes[layout])
    frame = TurnedSource(RawSource(raw, layout), Turn(270, hflip=True)).read(1)
    assert frame is not None and frame.layout == "bgr" and frame.size == (HEIGHT, WIDTH)
    bgr = np.asarray(cv2.cvtColor(raw, codes[layout]), np.uint8)
    np.testing.assert_array_equal(frame.image, expected(bgr, 270, 1, 0))


def test_a_held_picture_is_not_overwritten(picture: U8, tmp_path: Path) -> None:
    for name in "ab":
        cv2.imwrite(str(tmp_path / f"{name}.png"), picture if name == "a" else 255 - picture)
    with open_source(f"{tmp_path}?realtime=0&rotate=90&hflip=1") as source:
        first, second = source
    np.testing.assert_array_equal(first.image, expected(picture, 90, 1, 0))
    np.testing.assert_array_equal(second.image, expected(255 - picture, 90, 1, 0))


@pytest.mark.parametrize("option", ["rotate=45", "hflip=2", "rotat=90"])
def test_bad_turns_are_named(option: str) -> None:
    with pytest.raises(ConfigError, match=r"rotate|hflip"):
        open_source(f"synthetic:town?{option}")


def test_an_address_that_is_passed_on_loses_the_turn() -> None:
    from roadmask.sources.uri import parse_uri

    parts = parse_uri("rtsp://camera/a?channel=1&rotate=90&live=1")
    assert parts.target == "rtsp://camera/a?channel=1" and parts.turn == Turn(90)


def test_the_header_tells_the_turned_camera(tmp_path: Path) -> None:
    """Camera pixel = scale x mask pixel + offset, in the turned picture: its corners are hit."""
    source = "synthetic:town?width=320&height=192&rotate=90&realtime=0&count=400"
    config = DaemonConfig(source=source, socket=str(tmp_path / "m.sock"))
    stop = threading.Event()

    def work() -> None:
        with open_pipeline(config) as pipeline:
            pipeline.run(stop)

    daemon = threading.Thread(target=work)
    daemon.start()
    try:
        with Subscriber(tmp_path / "m.sock", allow_not_live=True) as subscriber:
            mask = subscriber.receive(30)
            assert mask is not None
            assert mask.camera is not None and "rotate=90" in mask.camera.name
            assert mask.camera_size == (192, 320)
            for axis, side in ((0, 192), (1, 320)):
                pixels = mask.pixels.shape[1 - axis]
                first = mask.offset[axis]
                last = mask.scale[axis] * (pixels - 1) + first
                assert first + last == pytest.approx(side - 1)
                assert mask.scale[axis] == pytest.approx(side / pixels)
    finally:
        stop.set()
        daemon.join()
