"""The daemon on a real driver: each fault is named in the stream, and it goes on afterwards."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import FPS, Webcam, wait_for

from roadmask.client import Subscriber
from roadmask.modes import Mode, Reason

SOCKET = Path(os.environ.get("TMPDIR", "/run/tmp")) / "masks.sock"
MAX_AGE_MS = 60_000  # the emulated network takes its time
# Two frame periods or the daemon's read time-out, whichever is longer, and a heart beat. An
# emulated machine gets more; what was measured is in the log.
DUE_S = max(2 / FPS, 0.5) + 0.05
EMULATION_S = 5.0


class Daemon:
    """A running daemon and a subscriber of it."""

    def __init__(self, device: str, subscriber: Subscriber, process: subprocess.Popen[str]) -> None:
        self.device, self._subscriber, self._process = device, subscriber, process

    def named(self, since_s: float, mode: Mode, reason: Reason) -> float:
        """Wait until the stream says so, and return how long that took, s."""

        def look() -> float | None:
            assert self._process.poll() is None, "the daemon died"
            self._subscriber.receive(timeout_s=0.01)
            status = self._subscriber.status
            if status is not None and status.mode == mode and status.reasons & reason:
                return status.sent_ns * 1e-9
            return None

        took_s = wait_for(f"{mode!r} {reason!r}", look) - since_s
        print(f"\n  named {took_s:.2f} s after the fault (due in {DUE_S:.2f} s)")
        return took_s

    def masks_again(self, since_s: float) -> None:
        """Wait for a mask of a frame that was captured after ``since_s``."""

        def look() -> bool:
            assert self._process.poll() is None, "the daemon died"
            mask = self._subscriber.receive(timeout_s=0.05)
            return mask is not None and mask.capture_timestamp_ns * 1e-9 > since_s

        wait_for("mask", look)
        assert self._subscriber.latest() is not None


@pytest.fixture(scope="module")
def daemon(_webcam: Webcam) -> Iterator[Daemon]:
    _webcam.tell("ok")
    device = _webcam.plug()
    source = f"v4l2:{device}?width=1280&height=720&fps={FPS}&format=MJPG"
    command = [sys.executable, "-m", "roadmask", "run", "--source", source]
    command += ["--socket", str(SOCKET), "--max-age-ms", str(MAX_AGE_MS)]
    SOCKET.parent.mkdir(parents=True, exist_ok=True)
    with (
        subprocess.Popen(command, text=True) as process,
        Subscriber(SOCKET, max_age_ms=MAX_AGE_MS) as subscriber,
    ):
        try:
            daemon = Daemon(device, subscriber, process)
            daemon.masks_again(0.0)
            yield daemon
        finally:
            process.terminate()
            assert process.wait(60) == 0
            _webcam.tell("unplug")


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
    took_s = daemon.named(_webcam.tell(state), mode, reason)
    assert took_s < DUE_S + EMULATION_S or state == "repeat"  # that has its hysteresis
    daemon.masks_again(_webcam.tell("ok"))


def test_unplugging_is_named_and_the_camera_is_found_under_another_name(
    _webcam: Webcam, daemon: Daemon
) -> None:
    with Path(daemon.device).open("rb", buffering=0):  # somebody else keeps the old name taken
        took_s = daemon.named(_webcam.tell("unplug"), Mode.FAULT, Reason.CAMERA_LOST)
        assert took_s < DUE_S + EMULATION_S
        moved = _webcam.plug()
        assert moved != daemon.device
        daemon.masks_again(_webcam.tell("ok"))
