"""A daemon in the guest, and what a subscriber of it sees."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from conftest import FPS, WAIT_S, wait_for

from roadmask.stream.modes import Mode, Reason
from roadmask.stream.protocol import FrameHeader
from roadmask.stream.subscribe.mask import Mask
from roadmask.stream.subscribe.subscriber import Subscriber

SOCKET = Path(os.environ.get("TMPDIR", "/run/tmp")) / "masks.sock"
MAX_AGE_MS = 60_000  # the emulated network takes its time
READ_TIMEOUT_S, HEART_BEAT_S = 0.5, 0.05
EMULATION_S = 5.0  # a stutter of the emulated machine; what was measured is in the log
_PACE_FRAMES = 8


class Daemon:
    """A running daemon and a subscriber of it."""

    def __init__(self, device: str, subscriber: Subscriber, process: subprocess.Popen[str]) -> None:
        self.device, self.subscriber, self._process = device, subscriber, process

    def pace(self) -> tuple[float, float]:
        """What this machine really does: a frame's period, and from its capture to its mask, s.

        Of all frames that the stream tells of: on a slow machine the next thing it says is STALE
        before a reader takes the mask.
        """
        frames: list[FrameHeader] = []

        def look() -> bool:
            self.subscriber.receive(timeout_s=0.05)
            header = self.subscriber.status
            if header is not None and header.sequence > (frames[-1].sequence if frames else 0):
                frames.append(header)
            return len(frames) > _PACE_FRAMES

        wait_for("frames", look)
        first, last = frames[0], frames[-1]
        period_ns = (last.capture_ns - first.capture_ns) / (last.frame_id - first.frame_id)
        latency_ns = max(header.publish_ns - header.capture_ns for header in frames)
        return period_ns * 1e-9, latency_ns * 1e-9

    def told(self) -> FrameHeader | None:
        """What a stream without masks says; None while there is none."""
        assert self._process.poll() is None, "the daemon died"
        assert self.subscriber.receive(timeout_s=0.05) is None
        return self.subscriber.status

    def free_of(self, reason: Reason) -> None:
        """Wait until the stream does not say so."""

        def look() -> bool:
            self.subscriber.receive(timeout_s=0.05)
            status = self.subscriber.status
            return status is not None and not status.reasons & reason

        wait_for(f"a stream without {reason!r}", look)

    def named(self, since_s: float, mode: Mode, reason: Reason, pace: tuple[float, float]) -> bool:
        """Wait until the stream says so; whether it came in time.

        In time is two frame periods or the read time-out, whichever is longer, after the fault,
        plus a heart beat and what a frame takes here from its capture to the stream.
        """

        took_s = self.says(mode, reason) - since_s
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

    def says(self, mode: Mode, reason: Reason) -> float:
        """Wait until the stream says so; when it was sent (CLOCK_BOOTTIME, s)."""

        def look() -> float | None:
            assert self._process.poll() is None, "the daemon died"
            self.subscriber.receive(timeout_s=0.01)
            status = self.subscriber.status
            if status is not None and status.mode == mode and status.reasons & reason:
                return status.sent_ns * 1e-9
            return None

        return wait_for(f"{mode!r} {reason!r}", look)

    def masks_again(self, since_s: float) -> float:
        """Wait for a mask of a frame that was captured after ``since_s``; when it was."""

        def look() -> float | None:
            assert self._process.poll() is None, "the daemon died"
            mask = self.subscriber.receive(timeout_s=1.0)  # woken by it: it may not last long
            captured_s = 0.0 if mask is None else mask.capture_timestamp_ns * 1e-9
            return captured_s if captured_s > since_s else None

        captured_s = wait_for("mask", look)
        self.latest()
        return captured_s

    def latest(self) -> Mask:
        """What the subscriber takes as the present mask, once it does.

        On an emulated machine the camera stutters, and between two frames the stream is STALE.
        """

        def look() -> Mask | None:
            assert self._process.poll() is None, "the daemon died"
            return self.subscriber.latest() or self.subscriber.receive(timeout_s=1.0)

        return wait_for("a mask to use", look)


def command(device: str) -> list[str]:
    """Of a daemon of this interpreter on this device, which need not be there yet."""
    source = f"v4l2:{device}?width=1280&height=720&fps={FPS}&format=MJPG"
    return [sys.executable, "-m", "roadmask", "run", "--source", source, "--socket", str(SOCKET)]


@contextmanager
def running(command: Sequence[str], socket: Path, device: str) -> Iterator[Daemon]:
    """This daemon, which takes masks of any age here, and a subscriber of it."""
    socket.parent.mkdir(parents=True, exist_ok=True)
    with (
        subprocess.Popen([*command, "--max-age-ms", str(MAX_AGE_MS)], text=True) as process,
        Subscriber(socket, max_age_ms=MAX_AGE_MS) as subscriber,
    ):
        try:
            yield Daemon(device, subscriber, process)
        finally:
            process.terminate()
            assert process.wait(WAIT_S) == 0
