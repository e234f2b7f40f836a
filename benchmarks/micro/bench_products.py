"""What a decision system computes of each mask, and what it costs to tell others: ``make bench``.

Masks of 480x352 px of the town, each way checked once it is timed.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from itertools import cycle
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import pytest

from roadmask import Subscriber, products
from roadmask.arrays import U8
from roadmask.interop.ros2_messages import frame_messages
from roadmask.interop.view import View
from roadmask.stream.camera_geometry import CameraGeometry
from roadmask.stream.publish.publisher import FrameInfo, Publisher
from roadmask.system.clock import now_ns
from roadmask.town.town import Town

Benchmark = Callable[[Callable[[], Any]], Any]

CAMERA, VEHICLE = (960, 704), 7
GEOMETRY = CameraGeometry.pinhole(CAMERA, 60.0, 1.4, pitch_deg=2.0, pitch_uncertainty_deg=1.0)


class Picture(NamedTuple):
    pixels: U8
    camera_size: tuple[int, int] = CAMERA
    scale: tuple[float, float] = (2.0, 2.0)
    offset: tuple[float, float] = (0.0, 0.0)


@cache
def picture() -> Picture:
    mask = Town(1, *CAMERA).frame(40).category_mask
    return Picture(np.ascontiguousarray(mask[::2, ::2]))


@pytest.mark.benchmark(group="free distance")
def test_free_distance(benchmark: Benchmark) -> None:
    assert benchmark(lambda: products.free_distance(picture(), GEOMETRY)).columns.size == 480


@pytest.mark.benchmark(group="free distance")
def test_corridor_of_another_heading_each_time(benchmark: Benchmark) -> None:
    headings = cycle((-5.0, 5.0))

    def ahead() -> Any:
        return products.corridor(picture(), GEOMETRY, width_m=2.0, heading_deg=next(headings))

    assert not benchmark(ahead).fault


@pytest.mark.benchmark(group="grid")
def test_occupancy(benchmark: Benchmark) -> None:
    assert benchmark(lambda: products.occupancy(picture(), GEOMETRY)).known


@pytest.mark.benchmark(group="contours")
def test_contours(benchmark: Benchmark) -> None:
    assert benchmark(lambda: products.contours(picture(), VEHICLE, GEOMETRY)).contours


@pytest.mark.benchmark(group="contours")
def test_contours_by_opencv(benchmark: Benchmark) -> None:
    def found() -> Any:
        binary = (picture().pixels == VEHICLE).astype(np.uint8)
        return cv2.findContours(binary, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)[0]

    assert len(benchmark(found)) == len(products.contours(picture(), VEHICLE, GEOMETRY).contours)


@pytest.mark.benchmark(group="stream")
@pytest.mark.parametrize("most", [1, 8])
def test_history(benchmark: Benchmark, tmp_path: Path, most: int) -> None:
    path = tmp_path / "masks.sock"
    with (
        Publisher(path, mask_size=(480, 352), max_age_ms=60_000) as publisher,
        Subscriber(path, max_age_ms=60_000) as subscriber,
    ):
        for _ in range(20):
            publisher.begin().mask.fill(1)
            publisher.publish(FrameInfo(now_ns(), CAMERA))
            subscriber.latest()

        def asked() -> Any:
            publisher.heartbeat()  # else it would be silent
            return subscriber.history(most)

        assert len(benchmark(asked).masks) == most


@pytest.mark.benchmark(group="stream")
def test_publish(benchmark: Benchmark, tmp_path: Path) -> None:
    with Publisher(tmp_path / "masks.sock", mask_size=(480, 352)) as publisher:

        def one() -> int:
            publisher.begin()
            return publisher.publish(FrameInfo(now_ns(), CAMERA))

        assert benchmark(one) == publisher.sequence


@pytest.mark.benchmark(group="ros2")
def test_ros2_messages(benchmark: Benchmark) -> None:
    pytest.importorskip("rosbags", reason="the extra [ros2] is not installed")
    view = View(1, picture().pixels, None, (), CAMERA, (2.0, 2.0), (0.0, 0.0), GEOMETRY)
    assert set(benchmark(lambda: frame_messages(view))) == {"mask", "camera_info", "grid"}
