"""Plays a stream scene by scene: what a daemon sends on good days, on bad days, and never."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

from roadmask._native import ring_begin
from roadmask.errors import ConfigError
from roadmask.stream import ring
from roadmask.stream.modes import Flag, Mode, Reason
from roadmask.stream.protocol import decode_header, encode
from roadmask.stream.publish.publisher import FrameInfo, Publisher
from roadmask.system.clock import now_ns

_BEAT_S = 0.05
_CAMERA = (1280, 720)


class StreamPlayer:
    """A publisher that does what it is told; a context manager.

    Every mask is one category all over, ``category``, which a test may change between scenes.

    Args:
        socket_path: where subscribers connect.
        mask_size: (width, height) px.
        rate_hz: frames a second, in scenes that have some.

    Raises:
        PublishError: the socket cannot be made.
    """

    def __init__(
        self,
        socket_path: str | Path,
        mask_size: tuple[int, int] = (480, 352),
        rate_hz: float = 30.0,
    ) -> None:
        self._path, self._mask_size, self._period_s = socket_path, mask_size, 1 / rate_hz
        self._pause = threading.Event()  # never set: a sleep
        self._hostile = 0
        self.category = 1
        self.publisher = self._open()

    def __enter__(self) -> StreamPlayer:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Say BYE and remove the socket."""
        self.publisher.close()

    def play(self, scene: str, seconds: float = 1.0) -> None:
        """One of ``SCENES`` for so long; at least one step of it.

        Raises:
            ConfigError: there is no such scene.
        """
        if scene not in SCENES:
            raise ConfigError(f"scene {scene!r}: expected one of {', '.join(SCENES)}")
        begin, step = SCENES[scene]
        until = now_ns() + round(seconds * 1e9)
        begin(self)
        while True:
            step(self)
            if now_ns() >= until:
                return
            self._pause.wait(self._period_s if step is not _beat else _BEAT_S)

    def publish(self, **changes: Any) -> None:
        """One frame captured now; ``changes`` to its ``FrameInfo``."""
        slot = self.publisher.begin()
        slot.mask[:] = self.category
        self.publisher.publish(FrameInfo(**{**_frame(self), **changes}))

    def tear(self) -> None:
        """One frame whose slot is written again before anybody can read it."""
        self.publish()
        publisher = self.publisher
        ring_begin(publisher._memory, publisher._last_slot * ring.GENERATION_STRIDE)

    def attack(self) -> None:
        """The next of the records that break the protocol, to every subscriber."""
        self.publish()
        good = decode_header(bytes(self.publisher._message))
        changes = _BROKEN[self._hostile % len(_BROKEN)]
        self._hostile += 1
        record = encode(good._replace(**{"sequence": good.sequence + 1, **changes}))
        self.publisher._fanout.send(record, now_ns())

    def restart(self) -> None:
        """Another stream at the same path."""
        self.publisher.close()
        self.publisher = self._open()

    def _open(self) -> Publisher:
        period_ns = round(self._period_s * 1e9)
        return Publisher(self._path, mask_size=self._mask_size, frame_period_ns=period_ns)


def _frame(player: StreamPlayer) -> dict[str, Any]:
    width, height = player._mask_size
    scale = (_CAMERA[0] / width, _CAMERA[1] / height)
    counts = tuple(int(index == player.category) for index in range(8))
    return {
        "capture_ns": now_ns(),
        "camera_size": _CAMERA,
        "frame_id": player.publisher.sequence,
        "flags": Flag.DRIVER_TIME,
        "scale": scale,
        "counts": counts,
    }


_BROKEN: tuple[dict[str, Any], ...] = (
    {"magic": b"HTTP"},
    {"major": 2},
    {"stream_id": 77},
    {"sequence": 0},
    {"sent_ns": 1 << 62, "publish_ns": 1 << 62},
    {"slot": 4000},
    {"mask_width": 0},
    {"mask_height": 1 << 20},
    {"mask_offset": (1 << 64) - 1},
    {"confidence_offset": 8, "confidence_stride": 1},
    {"scale_x": float("nan")},
    {"camera": 100},
    {"max_age_ms": 0},
)

Step = Callable[[StreamPlayer], None]


def _beat(player: StreamPlayer) -> None:
    player.publisher.heartbeat()


def _nothing(player: StreamPlayer) -> None:
    """Not even a heartbeat."""


def _says(mode: Mode, reason: Reason) -> tuple[Step, Step]:
    return lambda player: player.publisher.set_mode(mode, reason), _beat


def _frames(**changes: Any) -> tuple[Step, Step]:
    return _nothing, lambda player: player.publish(**changes)


# What is done once, and then again and again.
SCENES: dict[str, tuple[Step, Step]] = {
    "ok": _frames(),
    "degraded": _frames(mode=Mode.DEGRADED, reasons=Reason.THERMAL),
    "dark": _frames(mode=Mode.DEGRADED, reasons=Reason.DARK),
    "blocked": _frames(mode=Mode.DEGRADED, reasons=Reason.BLOCKED),
    "frozen": _frames(mode=Mode.STALE, reasons=Reason.FROZEN),
    "old": (_nothing, lambda player: player.publish(capture_ns=now_ns() - 1_000_000_000)),
    "unknown-age": _frames(flags=Flag.AGE_UNKNOWN),
    "file": _frames(flags=Flag.FILE),
    "stale": _says(Mode.STALE, Reason.NO_NEW_FRAME),
    "lost": _says(Mode.FAULT, Reason.CAMERA_LOST),
    "silent": (_nothing, _nothing),
    "torn": (_nothing, StreamPlayer.tear),
    "restarted": (StreamPlayer.restart, lambda player: player.publish()),
    "hostile": (_nothing, StreamPlayer.attack),
}
