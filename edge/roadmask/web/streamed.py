"""An answer that is made while it is sent, and ended however that ends."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

HEAD_ONLY = "roadmask.head_only"  # in the scope: nobody reads the body


class Streamed(StreamingResponse):
    """Parts of octets; ``done`` is called once they are sent, or will never be.

    A generator's own ``finally`` is not enough: one that never began has none, and one
    that was left between two parts comes to its end when somebody collects it.
    """

    def __init__(
        self,
        parts: AsyncIterator[bytes],
        done: Callable[[], Awaitable[None]],
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(parts, 200, headers, "application/octet-stream")
        self._done = done

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it; of a HEAD nothing is made."""
        if scope.get(HEAD_ONLY):
            self.body_iterator = _nothing()
        try:
            await super().__call__(scope, receive, send)
        finally:
            await self._done()


async def _nothing() -> AsyncIterator[bytes]:
    nothing: tuple[bytes, ...] = ()
    for part in nothing:
        yield part
