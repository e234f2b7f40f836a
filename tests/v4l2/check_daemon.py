"""The daemon on a real driver: each fault is named in the stream, and it goes on afterwards."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from conftest import CARD, FPS, Driver, Webcam, nodes, now_s, wait_for

from roadmask.stream.modes import Mode, Reason
from roadmask.stream.protocol import FrameHeader
from roadmask.stream.subscribe.subscriber import Subscriber

SOCKET = Path(os.environ.get("TMPDIR", "/run/tmp")) / "masks.sock"
MAX_AGE_MS = 60_000  # the emulated network takes its time
READ_TIMEOUT_S, HEART_BEAT_S = 0.5, 0.05
EMULATION_S = 5.0  # a stutter of the emulated machine; what was measured is in the log
ABSENT_S = 10.0  # a driver that is late is not loaded for so long
LATE_MASK_S = 90.0  # after it was: the network of the emulated machine has to load meanwhile
_PACE_FRAMES = 8


class Daemon:
    """A running daemon and a subscriber of it."""

    def __init__(self, device: str, subscriber: Subscriber, process: subprocess.Popen[str]) -> None:
        self.device, self._subscriber, self._process = device, subscriber, process

    def pace(self) -> tuple[float, float]:
        """What this machine really does: a frame's period, and from its capture to its mask, s."""
        frames: list[tuple[float, int]] = []
        ages = []

        def look() -> bool:
            mask = self._subscriber.receive(timeout_s=0.05)
            if mask is not None and (not frames or mask.frame_id > frames[-1][1]):
                frames.append((mask.capture_timestamp_ns * 1e-9, mask.frame_id))
                ages.append((mask.publish_timestamp_ns - mask.capture_timestamp_ns) * 1e-9)
            return len(frames) > _PACE_FRAMES

        wait_for("masks", look)
        (begin_s, first), (end_s, last) = frames[0], frames[-1]
        return (end_s - begin_s) / (last - first), max(ages)

    def told(self) -> FrameHeader | None:
        """What a stream without masks says; None while there is none."""
        assert self._process.poll() is None, "the daemon died"
        assert self._subscriber.receive(timeout_s=0.05) is None
        return self._subscriber.status

    def free_of(self, reason: Reason) -> None:
        """Wait until the stream does not say so."""

        def look() -> bool:
            self._subscriber.receive(timeout_s=0.05)
            status = self._subscriber.status
            return status is not None and not status.reasons & reason

        wait_for(f"a stream without {reason!r}", look)

    def named(self, since_s: float, mode: Mode, reason: Reason, pace: tuple[float, float]) -> bool:
        """Wait until the stream says so; whether it came in time.

        In time is two frame periods or the read time-out, whichever is longer, after the fault,
        plus a heart beat and what a frame takes here from its capture to the stream.
        """

        def look() -> float | None:
            assert self._process.poll() is None, "the daemon died"
            self._subscriber.receive(timeout_s=0.01)
            status = self._subscriber.status
            if status is not None and status.mode == mode and status.reasons & reason:
                return status.sent_ns * 1e-9
            return None

        took_s = wait_for(f"{mode!r} {reason!r}", look) - since_s
        period_s, latency_s = pace
        due_s = max(2 * period_s, READ_TIMEOUT_S) + HEART_BEAT_S + latency_s
        print(
            f"\n  {reason.name}: named {took_s:.2f} s after the fault, "
            f"{took_s / period_s:.1f} frame periods of {period_s:.2f} s (nominal {1 / FPS:.3f} s), "
            f"{took_s / READ_TIMEOUT_S:.1f} read time-outs; due in {due_s:.2f} s, of which "
            f"{latency_s:.2f} s are this machine's from capture to mask: "
            f"{'in time' if took_s <= due_s else 'LATE'}"
        )
        return took_s <= due_s + EMULATION_S

    def masks_again(self, since_s: float) -> None:
        """Wait for a mask of a frame that was captured after ``since_s``."""

        def look() -> bool:
            assert self._process.poll() is None, "the daemon died"
            mask = self._subscriber.receive(timeout_s=0.05)
            return mask is not None and mask.capture_timestamp_ns * 1e-9 > since_s

        wait_for("mask", look)
        assert self._subscriber.latest() is not None


@contextmanager
def running(device: str) -> Iterator[Daemon]:
    """A daemon on this device, which need not be there yet, and a subscriber of it."""
    source = f"v4l2:{device}?width=1280&height=720&fps={FPS}&format=MJPG"
    command = [sys.executable, "-m", "roadmask", "run", "--source", source]
    command += ["--socket", str(SOCKET), "--max-age-ms", str(MAX_AGE_MS)]
    SOCKET.parent.mkdir(parents=True, exist_ok=True)
    with (
        subprocess.Popen(command, text=True) as process,
        Subscriber(SOCKET, max_age_ms=MAX_AGE_MS) as subscriber,
    ):
        try:
            yield Daemon(device, subscriber, process)
        finally:
            process.terminate()
            assert process.wait(60) == 0


@pytest.fixture(scope="module")
def daemon(_webcam: Webcam) -> Iterator[Daemon]:
    _webcam.tell("ok")
    with running(_webcam.plug()) as daemon:
        daemon.masks_again(0.0)
        yield daemon
        _webcam.tell("unplug")


@pytest.fixture
def late_driver(webcam: Webcam) -> Iterator[Driver]:
    """That of a webcam which is plugged in, out of the kernel; back in it afterwards."""
    driver = Driver(webcam)
    driver.unload()
    yield driver
    driver.load()


def test_a_driver_that_is_late_is_waited_for(late_driver: Driver) -> None:
    device = late_driver.device
    began_s = now_s()
    with running(device) as daemon:
        first = wait_for("the stream", daemon.told)
        heard_s = first.sent_ns * 1e-9 - began_s
        told = [first]

        def absent() -> bool:
            status = daemon.told()
            if status is not None and status.sent_ns > told[-1].sent_ns:
                told.append(status)
            return (told[-1].sent_ns - first.sent_ns) * 1e-9 > ABSENT_S

        wait_for("heartbeats", absent)
        assert {status.mode for status in told} == {Mode.FAULT}
        assert {status.reasons for status in told} <= {Reason.CAMERA_LOST, Reason.STARTING}
        assert told[-1].reasons == Reason.CAMERA_LOST and not first.sequence
        assert nodes(CARD) == []
        late_driver.load()
        assert wait_for("device node", lambda: nodes(CARD)) == [device]
        there_s = now_s()
        daemon.masks_again(there_s)
        took_s = now_s() - there_s
    print(
        f"\n  {first.reasons.name}: told {heard_s:.2f} s after the daemon's start, "
        f"{len(told)} times in {ABSENT_S:.0f} s; "
        f"the first mask {took_s:.2f} s after the device was there"
    )
    assert took_s < LATE_MASK_S


def test_masks_come_from_the_camera(daemon: Daemon) -> None:
    mask = daemon._subscriber.latest()
    assert mask is not None and mask.live
    assert mask.camera_size == (1280, 720)
    assert not mask.reasons & Reason.ESTIMATED_TIME  # the driver's stamp


@pytest.mark.parametrize(
    ("state", "mode", "reason"),
    [
        ("garbage", Mode.STALE, Reason.BAD_PICTURE),
        ("truncated", Mode.STALE, Reason.BAD_PICTURE),
        ("stall", Mode.STALE, Reason.NO_NEW_FRAME),
        ("repeat", Mode.DEGRADED, Reason.FROZEN),
    ],
)
def test_a_fault_is_named_and_goes(
    _webcam: Webcam, daemon: Daemon, state: str, mode: Mode, reason: Reason
) -> None:
    pace = daemon.pace()
    daemon.free_of(reason)
    in_time = daemon.named(_webcam.tell(state), mode, reason, pace)
    assert in_time or state == "repeat"  # that has its hysteresis
    daemon.masks_again(_webcam.tell("ok"))
    daemon.free_of(reason)


def test_unplugging_is_named_and_the_camera_is_found_under_another_name(
    _webcam: Webcam, daemon: Daemon
) -> None:
    pace = daemon.pace()
    with Path(daemon.device).open("rb", buffering=0):  # somebody else keeps the old name taken
        assert daemon.named(_webcam.tell("unplug"), Mode.FAULT, Reason.CAMERA_LOST, pace)
        moved = _webcam.plug()
        assert moved != daemon.device
        daemon.masks_again(_webcam.tell("ok"))
