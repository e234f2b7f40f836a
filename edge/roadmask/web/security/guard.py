"""The door: every request and WebSocket passes here first, every answer leaves with its headers."""

from __future__ import annotations

from urllib.parse import quote

from fastapi.responses import RedirectResponse, Response
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from roadmask.web.problems import ProblemError
from roadmask.web.security.access import Access, address_of
from roadmask.web.streamed import HEAD_ONLY

_OPEN = frozenset({"/healthz", "/readyz", "/login", "/favicon.ico"})
_OPEN_FOLDERS = ("/static/", "/docs/files/")
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_POLICY = (
    "default-src 'self'; img-src 'self' blob: data:; style-src 'self'; script-src 'self'; "
    "connect-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # Not no-referrer: with it browsers send a form's Origin as null, and no login is possible.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class Guard:
    """ASGI middleware."""

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self._app, self._access = app, access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse, or let pass."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        socket = scope["type"] == "websocket"
        refusal = self._refusal(scope, headers, socket)
        if refusal is None:
            await self._app(scope, receive, send if socket else _with_headers(send))
        elif socket:
            # Before the handshake is answered, which makes it a 403.
            await receive()
            await send({"type": "websocket.close", "code": 1008})
        else:
            await refusal(scope, receive, _with_headers(send))

    def _refusal(self, scope: Scope, headers: Headers, socket: bool) -> Response | None:
        path: str = scope["path"]
        if not self._access.knows_host(headers.get("host", "")):
            return ProblemError(
                421,
                "this server is not known under the name that was asked for: use its address, or "
                "start it with --allow-host NAME",
            ).response
        changes = socket or scope["method"] not in _SAFE
        if changes and not self._access.same_origin(headers):
            return ProblemError(403, "another site's page may not use this server").response
        if path in _OPEN or path.startswith(_OPEN_FOLDERS):
            return None
        try:
            if self._access.may_enter(headers, address_of(scope)):
                return None
        except ProblemError as problem:
            return problem.response
        if not socket and scope["method"] == "GET" and "text/html" in headers.get("accept", ""):
            query = scope["query_string"].decode("latin-1")
            wanted = quote(f"{path}?{query}" if query else path)
            return RedirectResponse(f"/login?next={wanted}", 303)
        return ProblemError(
            401,
            "a token is required: send it as 'Authorization: Bearer TOKEN', or log in at /login",
            {"WWW-Authenticate": "Bearer"},
        ).response


class HeadAsGet:
    """ASGI middleware: the head of an answer to HEAD is GET's; the server leaves its body out."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on."""
        head = scope["type"] == "http" and scope["method"] == "HEAD"
        as_get = {**scope, "method": "GET", HEAD_ONLY: True}
        await self._app(as_get if head else scope, receive, send)


def _with_headers(send: Send) -> Send:
    async def send_with(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in _HEADERS.items():
                headers.setdefault(name, value)
            headers.setdefault("Cache-Control", "no-store")
        await send(message)

    return send_with
