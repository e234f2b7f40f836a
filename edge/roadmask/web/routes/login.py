"""The login of a person at a page: the token once, then a cookie that scripts cannot read."""

from __future__ import annotations

from urllib.parse import parse_qs, quote, urlsplit

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse

from roadmask.web.problems import ProblemError
from roadmask.web.security.access import COOKIE, SESSION_S, address_of
from roadmask.web.small_body import small_body
from roadmask.web.state import State

router = APIRouter(include_in_schema=False)


@router.post("/login")
async def login(request: Request, state: State) -> RedirectResponse:
    """Form fields ``token`` and ``next``, a path of this server; ``next`` may be in the query."""
    form = parse_qs((await small_body(request)).decode(errors="replace"))
    target = _local_path(form.get("next", [request.query_params.get("next", "/")])[0])
    if not state.access.needs_token:
        return RedirectResponse(target, 303)
    wanted = f"next={quote(target)}"
    try:
        given = form.get("token", [""])[0].strip()
        if not state.access.is_token(given, address_of(request.scope), "/login"):
            return RedirectResponse(f"/login?failed=1&{wanted}", 303)
    except ProblemError as problem:
        wait_s = (problem.headers or {})["Retry-After"]
        return RedirectResponse(f"/login?wait={wait_s}&{wanted}", 303)
    answer = RedirectResponse(target, 303)
    answer.set_cookie(
        COOKIE,
        state.access.open_session(),
        max_age=SESSION_S,
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )
    return answer


@router.post("/logout")
async def logout(request: Request, state: State) -> RedirectResponse:
    """End the session."""
    state.access.end_session(request.headers)
    answer = RedirectResponse("/login", 303)
    answer.delete_cookie(COOKIE, httponly=True, samesite="strict")
    return answer


def _local_path(given: str) -> str:
    """``given`` if it is a path of this server, else its start page."""
    parts = urlsplit(given)
    plain = given.isascii() and given.isprintable() and "\\" not in given
    if parts.scheme or parts.netloc or not plain:
        return "/"
    return given if given.startswith("/") and not given.startswith("//") else "/"
