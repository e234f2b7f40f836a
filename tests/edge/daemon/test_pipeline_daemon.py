"""The daemon's loop with a camera that fails: a fake source, all else real."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from daemon_parts import daemon

from roadmask._native import crc32c
from roadmask.daemon.config import DaemonConfig
from roadmask.daemon.pipeline import open_pipeline
from roadmask.inference.engine import Engine
from roadmask.sources import FaultCode, Frame, PictureError, Source, SourceError, SourceKind
from roadmask.stream.modes import Mode, NoMask, Reason
from roadmask.stream.publish.publisher import Publisher
from roadmask.stream.subscribe.subscriber import Subscriber
from roadmask.system.clock import now_ns
from roadmask.town.town import Town


class Camera(Source):
    """A live camera whose state a test changes: good, lost, silent, garbled or resized."""

    kind = SourceKind.LIVE
    uri = name = "test:camera"
    size = (320, 200)
    fps = 2.0  # as it says: the 50 that come are never LOW_RATE, however busy the machine is

    def __init__(self) -> None:
        self.state = "good"
        self._tick = threading.Event()
        self._frame_id = 0
        self._rng = np.random.default_rng(1)
        self._scene = Town(1, 320, 200).frame(0).image // 2
        self._kept: list[np.ndarray] = []

    def read(self, timeout_s: float) -> Frame | None:
        self._tick.wait(0.02)  # never set: the camera's own clock
        self._frame_id += 1
        if self.state == "lost":
            raise SourceError(FaultCode.CAMERA_LOST, "unplugged")
        if self.state == "garbled":
            raise PictureError("no JPEG")
        if self.state == "silent":
            return None
        width, height = (240, 160) if self.state == "resized" else self.size
        level = 40 if self.state == "covered" else 4
        image = self._rng.integers(0, level, (height, width, 3), np.uint8)
        if self.state not in ("dark", "covered"):
            image += self._scene[:height, :width]
        if self.state in ("frozen", "going round"):
            image = self._kept[self._frame_id % 4 if self.state == "going round" else 0]
        self._kept = [*self._kept[-3:], image] if self.state == "good" else self._kept
        known = self.state != "of unknown age"
        return Frame(image, now_ns(), self._frame_id, driver_time=known, age_known=known)

    def describe(self) -> str:
        return self.name

    def reopen(self) -> Source:
        if self.state == "lost":
            raise SourceError(FaultCode.CAMERA_MISSING, "not there")
        return self


@pytest.fixture
def camera(tmp_path: Path, shipped_model: Path) -> Iterator[tuple[Camera, Subscriber]]:
    """A running daemon on a camera, and a subscriber that has had its first mask."""
    source = Camera()
    socket = tmp_path / "masks.sock"
    # A generous age limit: the machine under test may be busy.
    config = DaemonConfig(
        source=source.uri, model=str(shipped_model), socket=str(socket), max_age_ms=2000
    )
    with daemon(config, source), Subscriber(socket, max_age_ms=2000) as subscriber:
        assert subscriber.receive(timeout_s=30), subscriber.reason_text
        yield source, subscriber


def until(subscriber: Subscriber, mode: Mode, reason: Reason) -> None:
    """Wait, for a minute at most, until the stream says so."""
    deadline = now_ns() + 60_000_000_000
    while now_ns() < deadline:
        subscriber.receive(timeout_s=0.02)
        status = subscriber.status
        if status is not None and status.mode == mode and status.reasons & reason == reason:
            return
    raise AssertionError(f"{subscriber.status}, {subscriber.reason_text}")


def test_a_live_frame_with_driver_time_is_handed_out(camera: tuple[Camera, Subscriber]) -> None:
    _, subscriber = camera
    mask = subscriber.receive(timeout_s=30)
    assert mask is not None
    assert mask.live
    assert not mask.reasons & Reason.ESTIMATED_TIME
    assert mask.shares[0] == 0
    assert sum(mask.shares) == pytest.approx(1, abs=0.001)


@pytest.mark.parametrize(
    ("state", "mode", "reason"),
    [
        ("lost", Mode.FAULT, Reason.CAMERA_LOST),
        ("silent", Mode.STALE, Reason.NO_NEW_FRAME),
        ("garbled", Mode.STALE, Reason.BAD_PICTURE),
    ],
)
def test_a_failing_camera_is_named_and_recovers(
    camera: tuple[Camera, Subscriber], state: str, mode: Mode, reason: Reason
) -> None:
    source, subscriber = camera
    source.state = state
    until(subscriber, mode, reason)
    assert subscriber.latest() is None
    assert subscriber.reason in (NoMask.FAULT, NoMask.STALE)
    source.state = "good"
    mask = subscriber.receive(timeout_s=30)
    assert mask is not None, subscriber.reason_text


def test_a_camera_of_unknown_latency_gives_no_mask(camera: tuple[Camera, Subscriber]) -> None:
    source, subscriber = camera
    source.state = "of unknown age"
    until(subscriber, Mode.DEGRADED, Reason.ESTIMATED_TIME)
    assert subscriber.latest() is None and subscriber.reason == NoMask.AGE_UNKNOWN
    source.state = "good"
    assert subscriber.receive(timeout_s=30) is not None


@pytest.mark.parametrize("state", ["frozen", "going round"])
def test_old_pictures_are_stale_whatever_their_stamp(
    camera: tuple[Camera, Subscriber], state: str
) -> None:
    source, subscriber = camera
    for _ in range(4):
        assert subscriber.receive(timeout_s=30) is not None
    source.state = state
    until(subscriber, Mode.STALE, Reason.FROZEN)
    assert subscriber.latest() is None and subscriber.reason == NoMask.STALE
    source.state = "good"
    until(subscriber, Mode.OK, Reason.NONE)


@pytest.mark.parametrize(("state", "reason"), [("dark", Reason.DARK), ("covered", Reason.BLOCKED)])
def test_a_picture_that_shows_nothing_is_named_and_refused(
    camera: tuple[Camera, Subscriber], state: str, reason: Reason
) -> None:
    source, subscriber = camera
    source.state = state
    until(subscriber, Mode.DEGRADED, reason)
    assert subscriber.latest() is None and subscriber.reason is NoMask.REFUSED
    source.state = "good"
    until(subscriber, Mode.OK, Reason.NONE)


def test_a_picture_that_changes_size_is_mapped_anew(camera: tuple[Camera, Subscriber]) -> None:
    source, subscriber = camera
    source.state = "resized"
    while True:
        mask = subscriber.receive(timeout_s=30)
        assert mask is not None, subscriber.reason_text
        if mask.camera_size == (240, 160):
            break
    assert mask.size == (288, 224)
    assert mask.scale == pytest.approx((240 / 288, 160 / 224))


def test_ready_made_parts_are_used_and_stay_open(tmp_path: Path, shipped_model: Path) -> None:
    """What is not given is made of the configuration: here nothing is left that could be."""
    config = DaemonConfig(source="/dev/none", model="none", socket="/proc/none", frames=3)
    engine, camera = Engine(shipped_model), Camera()
    with Publisher(tmp_path / "masks.sock", mask_size=engine.input_size) as publisher:
        with open_pipeline(config, engine=engine, source=camera, publisher=publisher) as pipeline:
            assert pipeline.run(threading.Event()) == 3
        assert publisher.sequence == 3
        publisher.heartbeat()
        assert publisher.socket_path.exists()
    assert not publisher.socket_path.exists()


def test_a_checksum_is_sent_where_it_is_asked_for(tmp_path: Path, shipped_model: Path) -> None:
    source, socket = Camera(), tmp_path / "masks.sock"
    config = DaemonConfig(
        source=source.uri,
        model=str(shipped_model),
        socket=str(socket),
        max_age_ms=2000,
        checksum=True,
    )
    with daemon(config, source), Subscriber(socket, max_age_ms=2000) as subscriber:
        mask = subscriber.receive(timeout_s=30)
        assert mask is not None and mask.crc32c == crc32c(mask.pixels) != 0
