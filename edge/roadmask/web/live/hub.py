"""The live page's data: one subscription and one encoding per frame for all who look.

While nobody looks there is no subscription. A viewer that does not say that it has drawn what it
got (a slow network, a hidden tab, a closed lid) is sent nothing more, and nothing is encoded for
it; when it comes back it gets the newest frame.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import os
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from roadmask.stream.modes import NOT_LIVE, Flag, NoMask, names
from roadmask.stream.protocol import IdentityKind
from roadmask.stream.subscribe.async_subscriber import AsyncSubscriber
from roadmask.stream.subscribe.mask import Mask
from roadmask.stream.subscribe.policy import TAKE_EVERYTHING
from roadmask.system.clock import now_ns
from roadmask.system.hardware import temperature_c
from roadmask.system.sockets import count_subscribers
from roadmask.web.live.frame import Recent, encode_frame
from roadmask.web.live.reasons import explain
from roadmask.web.live.viewer import Viewer
from roadmask.web.schemas import LiveModel, LiveStatus

_STATUS_S = 0.5
_MAX_AGE_MS = 2000.0  # for eyes; the daemon's own limit holds as well
_WATCHED_S = 60.0  # after a look at /metrics
_NICE = 10  # the daemon comes first
_log = logging.getLogger("roadmask.web")


class LiveHub:
    """Feeds every viewer from one subscription.

    Args:
        socket: the daemon's.
        scores: of the models that this server knows, by digest.
        limit: of viewers.
    """

    def __init__(self, socket: str, scores: Mapping[str, dict[str, Any]], limit: int) -> None:
        self.socket, self._scores, self._limit = socket, scores, limit
        self.viewers: set[Viewer] = set()
        self.encoded = 0
        self._recent = Recent()
        self._task: asyncio.Task[None] | None = None
        self._wanted = asyncio.Event()
        self._watched_s = -math.inf  # until then, without a viewer too
        self._told: LiveStatus | None = None
        self._news = asyncio.Event()
        self._encoder = ThreadPoolExecutor(
            1, "live-encoder", initializer=os.setpriority, initargs=(os.PRIO_PROCESS, 0, _NICE)
        )

    @property
    def full(self) -> bool:
        """No more viewers are taken."""
        return len(self.viewers) >= self._limit

    def join(self) -> Viewer:
        """A new viewer; the first one opens the subscription."""
        viewer = Viewer()
        self.viewers.add(viewer)
        self._wanted.set()
        self._begin()
        return viewer

    async def status(self) -> LiveStatus | None:
        """What the stream says of itself, for who asks from time to time; no frame is encoded.

        The subscription stays for a minute, so that the next answer has a rate.
        """
        self._watched_s = time.monotonic() + _WATCHED_S
        if self._task is None:
            self._begin()
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._first_word(), _STATUS_S)
        return self._told

    async def _first_word(self) -> None:
        while self._told is None or self._told.state == "NONE":
            self._news.clear()
            await self._news.wait()

    def _begin(self) -> None:
        if self._task is None:
            self._task = asyncio.create_task(self._run())

    def leave(self, viewer: Viewer) -> None:
        """It is gone; the last one ends the subscription."""
        self.viewers.discard(viewer)
        if not self.viewers and self._watched_s < time.monotonic():
            self._end()

    def _end(self) -> None:
        if self._task is not None:
            self._task.cancel()
            self._task, self._told = None, None

    def acknowledge(self, viewer: Viewer, sequence: int) -> None:
        """``viewer`` has drawn that frame."""
        viewer.acknowledge(sequence)
        self._wanted.set()

    async def close(self) -> None:
        """End the subscription and the thread."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        self._encoder.shutdown()

    async def _run(self) -> None:
        while True:
            try:
                await self._follow()
            except Exception:  # the page stays alive whatever the stream does
                _log.exception("the live stream failed; it is opened again")
                await asyncio.sleep(_STATUS_S)

    async def _follow(self) -> None:
        loop = asyncio.get_running_loop()
        async with AsyncSubscriber(
            self.socket, preview=True, max_age_ms=_MAX_AGE_MS, **TAKE_EVERYTHING
        ) as subscriber:
            told: tuple[object, ...] = ()
            next_s = 0.0
            while True:
                mask = await self._newest(subscriber, max(next_s - loop.time(), 0.01))
                if mask is not None and any(viewer.ready for viewer in self.viewers):
                    data = await loop.run_in_executor(self._encoder, encode_frame, mask)
                    self.encoded += 1
                    for viewer in self.viewers:
                        viewer.offer(mask.sequence, data)
                state = _state_of(subscriber)
                if state != told or loop.time() >= next_s:
                    told, next_s = state, loop.time() + _STATUS_S
                    self._told = self._status(subscriber)
                    self._news.set()
                    status = self._told.model_dump_json()
                    for viewer in self.viewers:
                        viewer.tell(status)
                    if not self.viewers and self._watched_s < time.monotonic():
                        self._end()

    async def _newest(self, subscriber: AsyncSubscriber, wait_s: float) -> Mask | None:
        """The next frame if somebody is ready for it, else only a look at the stream."""
        mask = None
        if any(viewer.ready for viewer in self.viewers):
            mask = await subscriber.receive(timeout_s=wait_s)
        else:
            self._wanted.clear()
            # Not by wait_for: in 3.10 and 3.11 it swallows a cancellation that comes together with
            # the event, and the subscription of a page that has gone would stay.
            wanted = asyncio.ensure_future(self._wanted.wait())
            try:
                await asyncio.wait((wanted,), timeout=min(wait_s, _STATUS_S / 5))
            finally:
                wanted.cancel()
            subscriber.latest(copy=False)  # drains what has come; no pixel is touched
        header = subscriber.frame
        if header is not None:
            self._recent.add(header)
        self._recent.forget(now_ns())
        return mask

    def _status(self, subscriber: AsyncSubscriber) -> LiveStatus:
        here = LiveStatus(
            connected=subscriber.connected,
            state="NONE",
            why=_why(subscriber, self.socket),
            temperature_c=temperature_c(),
            subscribers=count_subscribers(self.socket),
            viewers=len(self.viewers),
            sent_ms=now_ns() / 1e6,
            socket=self.socket,
        )
        status, frame, ring = subscriber.status, subscriber.frame, subscriber.ring
        if status is None or ring is None:
            return here
        here.state = "NONE" if subscriber.reason == NoMask.SILENT else status.mode.name
        here.reasons = explain(status.reasons)
        here.max_age_ms = status.max_age_ms
        if frame is None:
            return here
        not_live = Flag(frame.flag_bits & NOT_LIVE)
        here.live = not not_live
        here.source = names(not_live).split("|") if not_live else []
        here.camera_size = (frame.camera_width, frame.camera_height)
        here.has_preview = bool(frame.preview_offset)
        here.sequence, here.skipped_total = frame.sequence, frame.skipped_total
        here.invoke_ms = frame.infer_us / 1000
        here.age_ms = round((now_ns() - frame.capture_ns) / 1e6, 1)
        here.fps, here.latency_ms = self._recent.fps, self._recent.latency_ms
        camera = ring.identity(frame.camera, IdentityKind.CAMERA)
        model = ring.identity(frame.model, IdentityKind.MODEL)
        here.camera = None if camera is None else camera.name
        if model is not None:
            digest = model.digest.hex()
            here.model = LiveModel(
                name=model.name, digest=digest, scores=self._scores.get(digest, {})
            )
        return here


def _why(subscriber: AsyncSubscriber, socket: str) -> str | None:
    if subscriber.reason == NoMask.NOT_CONNECTED:
        return (
            f"{subscriber.reason_text} {socket}: start the daemon with "
            f"'roadmask run --preview --socket {socket}'"
        )
    there = subscriber.reason in (NoMask.NONE, NoMask.NO_NEW_FRAME)
    return None if there else subscriber.reason_text


def _state_of(subscriber: AsyncSubscriber) -> tuple[object, ...]:
    status = subscriber.status
    there = subscriber.reason in (NoMask.NONE, NoMask.NO_NEW_FRAME)
    return (
        subscriber.connected,
        None if there else subscriber.reason,
        None if status is None else status.mode_bits,
    )
