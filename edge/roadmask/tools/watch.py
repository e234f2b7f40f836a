"""``roadmask watch``: subscribe, show a live line, save masks, write what was seen as JSON."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import numpy as np

from roadmask.errors import CaptureError, ConfigError
from roadmask.imaging.writing import colored, write_png
from roadmask.stream.modes import NOT_LIVE, NoMask, names
from roadmask.stream.subscribe.policy import TAKE_EVERYTHING
from roadmask.stream.subscribe.statistics import Seen
from roadmask.stream.subscribe.subscriber import Mask, Subscriber
from roadmask.system.percentiles import percentiles
from roadmask.system.terminal import LiveLine

_END_AFTER_S = 5.0  # a counted watch gives up when a stream that it saw stays away so long


def watch(
    socket: str,
    *,
    frames: int = 0,
    save: Path | None = None,
    wait_s: float = 10.0,
    max_age_ms: float = 250.0,
    stop: threading.Event,
    subscriber: Subscriber | None = None,
) -> dict[str, Any]:
    """Watch the stream at ``socket``, frames that are not live included.

    Args:
        socket: path of the daemon's socket, or the Zenoh key of ``subscriber``.
        frames: stop after so many; 0 = until told.
        save: folder for ``SEQUENCE.png`` (category ids) and ``color/SEQUENCE.png``.
        wait_s: how long to wait for the first frame.
        max_age_ms: take no older mask; the stream's own limit holds too.
        stop: set it to end.
        subscriber: reads instead of a new ``Subscriber``; closed at the end.

    Returns:
        The JSON keys of ``roadmask watch``.

    Raises:
        CaptureError: no stream came, or it ended before ``frames``.
        ConfigError: ``save`` cannot be written.
    """
    if save is not None:
        _make_folder(save)
    seen, line = Seen(), LiveLine()
    last_s = time.monotonic()
    remedy = f"start 'roadmask bridge --zenoh {socket}' there, or check --connect"
    if subscriber is None:
        subscriber = Subscriber(
            socket, **TAKE_EVERYTHING, preview=save is not None, max_age_ms=max_age_ms
        )
        remedy = f"start 'roadmask run --socket {socket}' or give its socket with --socket"
    with subscriber:
        while not stop.is_set() and (not frames or seen.frames < frames):
            mask = subscriber.receive(timeout_s=0.1)
            if mask is not None:
                last_s = time.monotonic()
                seen.add(mask)
                line.show(_describe(mask, seen, subscriber.dropped))
                if save is not None:
                    _save(save, mask)
                continue
            line.show(f"no mask: {subscriber.reason_text}")
            if seen.frames and subscriber.reason is NoMask.NO_NEW_FRAME:
                last_s = time.monotonic()  # it lives, and its next frame is not due yet
            silent_s = time.monotonic() - last_s
            if not seen.frames and silent_s > wait_s:
                raise CaptureError(
                    f"no stream at {socket} after {wait_s:g} s ({subscriber.reason_text}): {remedy}"
                )
            if frames and seen.frames and silent_s > _END_AFTER_S:
                raise CaptureError(
                    f"the stream at {socket} ended after {seen.frames} of {frames} frames "
                    f"({subscriber.reason_text})"
                )
        dropped = subscriber.dropped
    line.end()
    return {
        "frames": seen.frames,
        "dropped": dropped,
        "age_ms": percentiles(seen.ages_ms),
        "modes": dict(seen.modes),
    }


def _describe(mask: Mask, seen: Seen, dropped: int) -> str:
    rate = ""
    if len(seen.ages_ms) > 1:
        rate = f"age p50 {percentiles(seen.ages_ms[-200:])['p50']:.1f} ms"
    live = "" if mask.live else f" NOT LIVE ({names(mask.flags & NOT_LIVE)})"
    age = "" if mask.age_known else " AGE UNKNOWN"
    reasons = f" {names(mask.reasons)}" if mask.reasons else ""
    return f"frame {mask.sequence} {mask.mode.name}{reasons}{live}{age} {rate} dropped {dropped}"


def _make_folder(folder: Path) -> None:
    try:
        (folder / "color").mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"--save {folder}: {error.strerror}; give a writable folder") from error


def _save(folder: Path, mask: Mask) -> None:
    name = f"{mask.sequence:06d}.png"
    write_png(folder / name, mask.pixels)
    picture = colored(mask.pixels)
    if mask.preview is not None and mask.preview.shape == picture.shape:
        half = mask.preview[..., ::-1].astype(np.uint16) + picture
        picture = (half // 2).astype(np.uint8)
    write_png(folder / "color" / name, picture)
