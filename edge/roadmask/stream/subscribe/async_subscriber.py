"""The subscriber for asyncio programs: the same masks and limits, awaited instead of waited for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from types import TracebackType

from roadmask.stream.subscribe.mask import Mask
from roadmask.stream.subscribe.reader import MaskReader
from roadmask.system.clock import now_ns


class AsyncSubscriber(MaskReader):
    """As ``Subscriber``, with ``receive``, iteration and the context manager asynchronous.

    It belongs to the event loop that awaits it; ``latest`` is a plain call, and never waits: after
    a pause of more than 200 ms await ``receive`` instead.
    """

    _SIGN_OF_LIFE_NS = 0

    async def receive(self, timeout_s: float | None = None, *, copy: bool = True) -> Mask | None:
        """Wait for a usable mask that was not handed out before; None after ``timeout_s``.

        Raises:
            ProtocolError: only with ``reconnect=False``: what the publisher did wrong.
        """
        deadline = None if timeout_s is None else now_ns() + int(timeout_s * 1e9)
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
    """Until ``fd`` has something to read or the time is over; no ``fd`` (-1): all of the time."""
    if fd < 0:
        await asyncio.sleep(timeout_s)
        return
    loop = asyncio.get_running_loop()
    came = asyncio.Event()
    loop.add_reader(fd, came.set)
    try:
        await asyncio.wait_for(came.wait(), timeout_s)
    except asyncio.TimeoutError:
        pass
    finally:
        loop.remove_reader(fd)
