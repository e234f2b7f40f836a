"""Plays a stream scene by scene: what a daemon sends on good days, on bad days, and never."""

from __future__ import annotations

import threading
from pathlib import Path
from types import TracebackType
from typing import Any

from roadmask.errors import ConfigError
from roadmask.stream.modes import Flag
from roadmask.stream.publish.publisher import FrameInfo, Publisher
from roadmask.system.clock import now_ns
from roadmask.testing.raw_publisher import RawPublisher
from roadmask.testing.scenes import SCENES

CAMERA_SIZE = (1280, 720)


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
        self.category = 1
        self._stage: Publisher | RawPublisher = self._open()

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
        self._stage.close()

    def play(self, scene: str, seconds: float = 1.0) -> None:
        """One of ``SCENES`` for so long; at least one step of it.

        Raises:
            ConfigError: there is no such scene.
        """
        if scene not in SCENES:
            raise ConfigError(f"scene {scene!r}: expected one of {', '.join(SCENES)}")
        script = SCENES[scene]
        until = now_ns() + round(seconds * 1e9)
        script.begin(self)
        while True:
            script.step(self)
            if now_ns() >= until:
                return
            self._pause.wait(self._period_s if script.period_s is None else script.period_s)

    def publish(self, **changes: Any) -> None:
        """One frame captured now; ``changes`` to its ``FrameInfo``."""
        publisher = self.publisher
        slot = publisher.begin()
        slot.mask[:] = self.category
        width, height = self._mask_size
        frame = {
            "capture_ns": now_ns(),
            "camera_size": CAMERA_SIZE,
            "frame_id": publisher.sequence,
            "flags": Flag.DRIVER_TIME,
            "scale": (CAMERA_SIZE[0] / width, CAMERA_SIZE[1] / height),
            "counts": tuple(int(index == self.category) for index in range(8)),
        }
        publisher.publish(FrameInfo(**{**frame, **changes}))

    @property
    def publisher(self) -> Publisher:
        """A daemon's publisher at the path: the one that is there, or a new one."""
        if not isinstance(self._stage, Publisher):
            self.restart()
        assert isinstance(self._stage, Publisher)
        return self._stage

    @property
    def raw(self) -> RawPublisher:
        """A publisher that no daemon is, at the path: the one that is there, or a new one."""
        if not isinstance(self._stage, RawPublisher):
            self._stage.close()
            self._stage = RawPublisher(self._path)
        return self._stage

    def restart(self) -> None:
        """Another stream at the same path."""
        self._stage.close()
        self._stage = self._open()

    def _open(self) -> Publisher:
        period_ns = round(self._period_s * 1e9)
        return Publisher(self._path, mask_size=self._mask_size, frame_period_ns=period_ns)
