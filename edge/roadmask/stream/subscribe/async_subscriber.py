"""The subscriber for asyncio programs: the same masks and limits, awaited instead of waited for."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from types import TracebackType

from roadmask.stream.modes import NoMask
from roadmask.stream.subscribe.mask import Mask
from roadmask.stream.subscribe.reader import MaskReader, deadline_ns
from roadmask.system.clock import now_ns


class AsyncSubscriber(MaskReader):
    """As ``Subscriber``, with ``receive``, iteration and the context manager asynchronous.

    It belongs to the event loop that awaits it; ``latest`` is a plain call, and never waits: after
    a pause of more than 200 ms await ``receive`` instead.
    """

    _SIGN_OF_LIFE_NS = 0

    def latest(self, max_age_ms: float | None = None, *, copy: bool = True) -> Mask | None:
        """The newest usable mask, or None; it never waits. The same frame may come twice.

        After a pause of more than 200 ms the socket holds only what is old: that is TOO_OLD, for
        only a reader that looks can call a publisher silent.

        Raises:
            ConfigError: ``max_age_ms`` is nan.
            ProtocolError: only with ``reconnect=False``: what the publisher did wrong.
        """
        looked_ns = self._looked_ns if self._paused() else 0
        mask = super().latest(max_age_ms, copy=copy)
        if looked_ns and mask is None and self._reason is NoMask.SILENT:
            pause_s = (now_ns() - looked_ns) / 1e9
            self._refuse(NoMask.TOO_OLD, f"nobody looked for {pause_s:.1f} s: await receive")
        return mask

    async def receive(self, timeout_s: float | None = None, *, copy: bool = True) -> Mask | None:
        """Wait for a usable mask that was not handed out before; None after ``timeout_s``.

        Other tasks run at least once, whatever comes; a cancellation is always obeyed, and takes
        no mask along.

        Raises:
            ConfigError: ``timeout_s`` is nan.
            ProtocolError: only with ``reconnect=False``: what the publisher did wrong.
        """
        deadline = deadline_ns(timeout_s)
        await asyncio.sleep(0)
        while True:
            mask = self._next(copy)
            if mask is not None or self.ended:
                return mask
            wait_ns = self._wait_ns(deadline)
            if deadline is not None and now_ns() >= deadline:
                return None
            await _readable(self.fileno(), max(wait_ns, 0) / 1e9)

    async def __aiter__(self) -> AsyncIterator[Mask]:
        """Every new usable mask, until this subscriber is closed."""
        while (mask := await self.receive()) is not None:
            yield mask

    async def __aenter__(self) -> AsyncSubscriber:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


async def _readable(fd: int, timeout_s: float) -> None:
    """Until ``fd`` has something to read or the time is over; no ``fd`` (-1): all of the time.

    Not by ``asyncio.wait_for``: in 3.10 and 3.11 it swallows a cancellation that comes together
    with what it waits for. And at a descriptor of its own: when the stream is lost meanwhile, the
    number of ``fd`` may be another connection's, whose reader the loop would take for ours.
    """
    loop = asyncio.get_running_loop()
    came = loop.create_future()
    timer = loop.call_later(timeout_s, _settle, came)
    own = _duplicate(fd)
    try:
        if own >= 0:
            loop.add_reader(own, _settle, came)
        await came
    finally:
        timer.cancel()
        if own >= 0:
            loop.remove_reader(own)
            os.close(own)


def _settle(came: asyncio.Future[None]) -> None:
    if not came.done():
        came.set_result(None)


def _duplicate(fd: int) -> int:
    """Another descriptor of the same file; -1 where there is none, or no room for it."""
    try:
        return os.dup(fd) if fd >= 0 else -1
    except OSError:  # closed by another thread, or too many are open: the time-out wakes us
        return -1
