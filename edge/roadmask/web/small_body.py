"""Bodies that are no uploads (JSON, the login's form): small, in time, or refused."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

import anyio
from fastapi import Request, Response
from fastapi.routing import APIRoute
from starlette.types import Message

from roadmask.web.pictures.uploads import discard
from roadmask.web.problems import ProblemError

_BYTES, _TIME_S = 1 << 14, 10.0


async def small_body(request: Request) -> bytes:
    """The whole body.

    Raises:
        ProblemError: 408 or 413; whatever the client still sends has been read.
    """
    body = b""
    try:
        with anyio.fail_after(_TIME_S):
            async for chunk in request.stream():
                body += chunk
                if len(body) > _BYTES:
                    break
    except TimeoutError:
        raise ProblemError(408, f"the body did not arrive within {_TIME_S:g} s") from None
    if len(body) > _BYTES:
        await discard(request)
        raise ProblemError(413, f"the body has more than {_BYTES} bytes")
    return body


class SmallBodyRoute(APIRoute):
    """A route whose body is read so before FastAPI looks at it, which would take any."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """As ``APIRoute``."""
        handle = super().get_route_handler()
        if self.body_field is None:
            return handle

        async def bounded(request: Request) -> Response:
            body = await small_body(request)

            async def receive() -> Message:
                return {"type": "http.request", "body": body, "more_body": False}

            return await handle(Request(request.scope, receive))

        return bounded
