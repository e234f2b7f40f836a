"""``roadmask demo``: the daemon on the synthetic town, and a subscriber that scores it."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from roadmask.errors import CaptureError
from roadmask.evaluation.metrics import ConfusionMatrix
from roadmask.imaging.nearest import nearest
from roadmask.imaging.overlay import overlay
from roadmask.imaging.writing import write_png
from roadmask.stream.subscribe.policy import TAKE_EVERYTHING
from roadmask.stream.subscribe.statistics import Seen
from roadmask.stream.subscribe.subscriber import Mask, Subscriber
from roadmask.system.percentiles import percentiles
from roadmask.system.terminal import LiveLine
from roadmask.town.town import Town

_SEED = 7
_SIZE = (960, 540)  # px; drawing a larger town costs more than all the rest
_SCORE_EVERY = 5  # frames; drawing the truth costs more than segmenting
_START_S = 30.0


def demo(seconds: float, model: str, picture: Path, stop: threading.Event) -> dict[str, Any]:
    """Run for ``seconds`` and return what was measured.

    Raises:
        CaptureError: the daemon did not start, or died.
    """
    town = Town(_SEED, *_SIZE)
    matrix, seen, line = ConfusionMatrix(), Seen(), LiveLine()
    frame_to_mask_ms: list[float] = []
    last: Mask | None = None
    with tempfile.TemporaryDirectory(prefix="roadmask-") as folder:
        socket = f"{folder}/masks.sock"
        with _daemon(socket, model) as process, Subscriber(socket, **TAKE_EVERYTHING) as stream:
            started = time.monotonic()
            first_s = 0.0
            while not stop.is_set() and (not first_s or time.monotonic() - first_s < seconds):
                mask = stream.receive(timeout_s=0.2)
                if mask is None:
                    _check_alive(process, stream, started, first_s)
                    continue
                first_s = first_s or time.monotonic()
                last = mask
                seen.add(mask)
                elapsed_ns = mask.publish_timestamp_ns - mask.capture_timestamp_ns
                frame_to_mask_ms.append(elapsed_ns / 1e6)
                if seen.frames % _SCORE_EVERY == 1:
                    _score(matrix, town, mask)
                fps = seen.frames / max(time.monotonic() - first_s, 0.1)
                line.show(
                    f"{fps:5.1f} fps | frame -> mask "
                    f"{percentiles(frame_to_mask_ms[-100:])['p50']:.1f} ms | "
                    f"{mask.mode.name} | mIoU {matrix.mean_iou():.3f}"
                )
            ran_s = time.monotonic() - first_s if first_s else 0.0
            dropped = stream.dropped
    line.end()
    if last is not None:
        frame = town.frame(last.frame_id)
        write_png(picture, overlay(frame.image, last.pixels))
    return {
        "seconds": round(ran_s, 1),
        "frames": seen.frames,
        "dropped": dropped,
        "fps": round(seen.frames / ran_s, 2) if ran_s else None,
        "frame_to_mask_ms": percentiles(frame_to_mask_ms),
        "age_ms": percentiles(seen.ages_ms),
        "modes": dict(seen.modes),
        "miou": round(matrix.mean_iou(), 4) if matrix.images else None,
        "scored_frames": matrix.images,
        "overlay": str(picture) if last is not None else None,
    }


@contextlib.contextmanager
def _daemon(socket: str, model: str) -> Iterator[subprocess.Popen[str]]:
    """A real daemon process; it is told to stop, and is gone, when the block ends."""
    width, height = _SIZE
    source = f"synthetic:town?seed={_SEED}&width={width}&height={height}"
    command = [sys.executable, "-m", "roadmask", "run", "--source", source]
    command += ["--log-level", "warning"]
    command += ["--model", model, "--socket", socket]
    # Its own session: Ctrl-C reaches this process alone, which then stops the daemon in order.
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stderr:
            process.stderr.close()


def _check_alive(
    process: subprocess.Popen[str], stream: Subscriber, started: float, first_s: float
) -> None:
    if process.poll() is not None:
        said = process.stderr.read().strip() if process.stderr else ""
        raise CaptureError(
            said.removeprefix("roadmask: ") or f"the daemon ended ({process.poll()})"
        )
    # A slow board loads and draws for minutes, and says so meanwhile; one that is silent is stuck.
    if not first_s and not stream.connected and time.monotonic() - started > _START_S:
        raise CaptureError(f"no stream within {_START_S:g} s: {stream.reason_text}")


def _score(matrix: ConfusionMatrix, town: Town, mask: Mask) -> None:
    truth = town.frame(mask.frame_id).category_mask
    matrix.update(truth, nearest(mask.pixels, (truth.shape[1], truth.shape[0])))
