"""What ``roadmask top`` shows: numbers of a stream's last seconds, and their text.

All comes with the stream's own headers; what a header does not hold (who else reads, how warm the
board is) is read from this machine's ``/proc`` and ``/sys``.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from roadmask.labels.label_set import CATEGORY_NAMES
from roadmask.stream.modes import NoMask, names
from roadmask.stream.protocol import Stages
from roadmask.stream.subscribe.subscriber import Mask, Subscriber
from roadmask.system.clock import now_ns
from roadmask.system.hardware import temperature_c
from roadmask.system.percentiles import percentiles
from roadmask.system.sockets import count_subscribers

_NO_TROUBLE = (NoMask.NONE, NoMask.NO_NEW_FRAME)
_WINDOW_S = 5.0  # that rates and percentiles are of
_COLORS = {"OK": "\x1b[32m", "DEGRADED": "\x1b[33m", "STALE": "\x1b[31m", "FAULT": "\x1b[31m"}


class _Seen(NamedTuple):
    """One mask's times, ns CLOCK_BOOTTIME, and counts."""

    received_ns: int
    capture_ns: int
    publish_ns: int
    infer_us: int
    frame_id: int
    stages: Stages


@dataclass
class StreamView:
    """What was seen of a stream in the last seconds.

    Args:
        socket: path of the stream.
    """

    socket: str
    modes: Counter[str] = field(default_factory=Counter)
    frames: int = 0

    def __post_init__(self) -> None:
        self._recent: deque[_Seen] = deque()
        self._last: Mask | None = None
        self._facts: dict[str, Any] = {}

    def add(self, mask: Mask) -> None:
        """Take a mask in."""
        self.frames += 1
        self.modes[mask.mode.name] += 1
        if self._last is None or mask.stream_id != self._last.stream_id:
            self._recent.clear()
            self._facts = _facts(mask)
        self._last = mask
        self._recent.append(
            _Seen(
                now_ns(),
                mask.capture_timestamp_ns,
                mask.publish_timestamp_ns,
                mask.infer_us,
                mask.frame_id,
                mask.stages,
            )
        )

    def snapshot(self, subscriber: Subscriber) -> dict[str, Any]:
        """The keys of ``--json``."""
        begin_ns = now_ns() - int(_WINDOW_S * 1e9)
        while self._recent and self._recent[0].received_ns < begin_ns:
            self._recent.popleft()
        status, last, seen = subscriber.status, self._last, self._recent
        return {
            "socket": self.socket,
            **self._facts,
            "mode": status.mode.name if status else None,
            "reasons": [] if not status or not status.reasons else names(status.reasons).split("|"),
            "no_mask": None if subscriber.reason in _NO_TROUBLE else subscriber.reason_text,
            "frames": self.frames,
            "modes": dict(self.modes),
            "fps": _rate(seen, of_camera=False),
            "camera_fps": _rate(seen, of_camera=True),
            "stages_ms": {
                **_stages(seen),
                "frame_to_mask": percentiles([(s.publish_ns - s.capture_ns) / 1e6 for s in seen]),
                "mask_to_reader": percentiles([(s.received_ns - s.publish_ns) / 1e6 for s in seen]),
            },
            "age_ms": percentiles([(s.received_ns - s.capture_ns) / 1e6 for s in seen]),
            "skipped": last.skipped_total if last else None,
            "dropped": subscriber.dropped,
            "subscribers": count_subscribers(self.socket),
            "temperature_c": temperature_c(),
            "shares": _shares(last) if last else {},
        }


def _shares(mask: Mask) -> dict[str, float]:
    return dict(zip(CATEGORY_NAMES, map(_three, mask.shares), strict=True))


def _stages(seen: Iterable[_Seen]) -> dict[str, dict[str, float | None]]:
    """Percentiles of each stage up to the mask, ms; none of a publisher that does not say."""
    told = [s for s in seen if any(s.stages)]
    parts = {
        name: percentiles([getattr(s.stages, name) / 1e3 for s in told]) for name in Stages._fields
    }
    behind = parts.pop("postprocess")
    return parts | {"network": percentiles([s.infer_us / 1e3 for s in seen]), "postprocess": behind}


def _facts(mask: Mask) -> dict[str, Any]:
    """What stays the same as long as the stream lives."""
    model, camera = mask.model, mask.camera
    return {
        "model": model.name if model else None,
        "model_digest": model.digest.hex()[:12] if model else None,
        "camera": camera.name if camera else None,
        "camera_size": list(mask.camera_size),
        "mask_size": list(mask.size),
        "live": mask.live,
    }


def _rate(seen: deque[_Seen], of_camera: bool) -> float | None:
    """Masks, or frames of the camera, per second."""
    if len(seen) < 2:
        return None
    first, last = seen[0], seen[-1]
    count = last.frame_id - first.frame_id if of_camera else len(seen) - 1
    # By capture, not by reading: this reader's own pauses are not the stream's.
    elapsed_s = (last.capture_ns - first.capture_ns) * 1e-9
    return round(count / elapsed_s, 2) if elapsed_s > 0 else None


def _three(value: float) -> float:
    return round(value, 3)


def render(shot: dict[str, Any], color: bool = False) -> list[str]:
    """A snapshot as lines of text."""
    mode = shot["mode"] or "NO STREAM"
    tint, plain = (_COLORS.get(mode, "\x1b[31m"), "\x1b[0m") if color else ("", "")
    reasons = " ".join(shot["reasons"])
    lines = [f"roadmask top  {shot['socket']}", f"{tint}{mode}{plain}  {reasons}".rstrip()]
    if shot["no_mask"]:
        lines.append(f"no mask: {shot['no_mask']}")
    if "model" in shot:
        (width, height), mask = shot["camera_size"], shot["mask_size"]
        live = "" if shot["live"] else "  NOT LIVE"
        lines += [
            "",
            f"model    {shot['model']}  {shot['model_digest']}",
            f"camera   {shot['camera']}  {width}x{height} -> mask {mask[0]}x{mask[1]}{live}",
        ]
    lines += [
        "",
        f"rate     {_text(shot['fps'], ' fps')}, camera {_text(shot['camera_fps'], ' fps')}",
        f"frames   {shot['frames']} read, {shot['dropped']} dropped by this reader, "
        f"{_text(shot['skipped'])} camera frames skipped",
        f"readers  {_text(shot['subscribers'])}, board {_text(shot['temperature_c'], ' °C')}",
        "",
        f"{'ms, last 5 s':<24}{'p50':>9}{'p95':>9}{'p99':>9}",
    ]
    rows = {**shot["stages_ms"], "age when read": shot["age_ms"]}
    for name, values in rows.items():
        cells = "".join(f"{_text(values[p], digits=2):>9}" for p in ("p50", "p95", "p99"))
        lines.append(f"{name.replace('_', ' '):<24}{cells}")
    if shot["shares"]:
        lines.append("")
        lines += [
            f"{name:<13}{share:7.1%}  {'#' * round(40 * share)}"
            for name, share in shot["shares"].items()
        ]
    return lines


def _text(value: float | None, unit: str = "", digits: int = 1) -> str:
    if value is None:
        return "-"
    return f"{value:.{digits}f}{unit}" if isinstance(value, float) else f"{value}{unit}"
