"""The scenes: what each does once, and then again and again."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from roadmask.stream import ring
from roadmask.stream.modes import Flag, Mode, Reason
from roadmask.stream.protocol import encode
from roadmask.system.clock import now_ns
from roadmask.testing.raw_publisher import FIRST, good_frame, good_status, good_welcome

if TYPE_CHECKING:
    from roadmask.testing.player import StreamPlayer

Step = Callable[["StreamPlayer"], None]
_BEAT_S = 0.05
_FLOOD = 1000  # messages a step: more than a reader takes in at once
_SPARSE_BYTES = 2 << 30


def _nothing(player: StreamPlayer) -> None:
    """Not even a heartbeat."""


@dataclass(frozen=True)
class Scene:
    """What is done once, and then every ``period_s``; None: at the player's rate."""

    step: Step
    begin: Step = _nothing
    period_s: float | None = None


def _frames(**changes: Any) -> Scene:
    return Scene(lambda player: player.publish(**changes))


def _says(mode: Mode, reason: Reason) -> Scene:
    def say(player: StreamPlayer) -> None:
        player.publisher.set_mode(mode, reason)

    return Scene(lambda player: player.publisher.heartbeat(), say, _BEAT_S)


# One value each that no FRAME may have.
BROKEN: tuple[dict[str, Any], ...] = (
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


def _serve(player: StreamPlayer) -> None:
    player.raw.serve((encode(good_welcome()), [player.raw.sealed]))


def _tear(player: StreamPlayer) -> None:
    """A FRAME whose slot says that it was overwritten."""
    _serve(player)
    player.raw.send(encode(good_frame(sequence=FIRST + player.raw.sent)))


def _attack(player: StreamPlayer) -> None:
    """The next of the records that break the protocol, to who waits for a good one."""
    _serve(player)
    player.raw.send(encode(good_frame(**BROKEN[player.raw.sent % len(BROKEN)])))


def _flood(player: StreamPlayer) -> None:
    """As many a STATUS as there is room for."""
    _serve(player)
    status = good_status()
    for _ in range(_FLOOD):
        if not player.raw.send(encode(status._replace(sent_ns=now_ns()))):
            return


@contextmanager
def sparse_ring(size: int) -> Iterator[int]:
    """The descriptor of a sealed ring of which no page exists."""
    fd = os.memfd_create("sparse", os.MFD_ALLOW_SEALING)
    try:
        os.ftruncate(fd, size)
        fcntl.fcntl(fd, fcntl.F_ADD_SEALS, ring.SEALS)
        yield fd
    finally:
        os.close(fd)


def _sparse(player: StreamPlayer) -> None:
    """A ring of 2 GiB that its reader would have to make."""
    with sparse_ring(_SPARSE_BYTES) as fd:
        player.raw.serve((encode(good_welcome(ring_bytes=_SPARSE_BYTES)), [fd]))


def _raw(step: Step) -> Scene:
    return Scene(step, lambda player: player.raw.hang_up())


SCENES: dict[str, Scene] = {
    "ok": _frames(),
    "degraded": _frames(mode=Mode.DEGRADED, reasons=Reason.THERMAL),
    "dark": _frames(mode=Mode.DEGRADED, reasons=Reason.DARK),
    "blocked": _frames(mode=Mode.DEGRADED, reasons=Reason.BLOCKED),
    "frozen": _frames(mode=Mode.STALE, reasons=Reason.FROZEN),
    "old": Scene(lambda player: player.publish(capture_ns=now_ns() - 1_000_000_000)),
    "unknown-age": _frames(flags=Flag.AGE_UNKNOWN),
    "file": _frames(flags=Flag.FILE),
    "stale": _says(Mode.STALE, Reason.NO_NEW_FRAME),
    "lost": _says(Mode.FAULT, Reason.CAMERA_LOST),
    "silent": Scene(_nothing),
    "restarted": Scene(lambda player: player.publish(), lambda player: player.restart()),
    "torn": _raw(_tear),
    "hostile": _raw(_attack),
    "flood": _raw(_flood),
    "sparse": _raw(_sparse),
    "mute": _raw(lambda player: player.raw.serve()),
}
