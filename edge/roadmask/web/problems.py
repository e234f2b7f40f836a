"""Errors of the API as ``application/problem+json`` (RFC 9457), one sentence in ``detail``."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from roadmask.errors import DataError, RoadmaskError
from roadmask.system.files import told

MEDIA_TYPE = "application/problem+json"


class ProblemError(Exception):
    """An answer that says what was wrong with a request.

    Args:
        status: HTTP status.
        detail: what was given, what was expected and what to do, in one sentence.
        headers: more of them, such as Retry-After.
    """

    def __init__(self, status: int, detail: str, headers: Mapping[str, str] | None = None) -> None:
        detail = told(detail)  # names of files and texts of others stand in it
        super().__init__(detail)
        self.status, self.detail, self.headers = status, detail, headers

    @property
    def body(self) -> dict[str, str | int]:
        """The members of the JSON object."""
        title = HTTPStatus(self.status).phrase
        return {
            "type": "about:blank",
            "title": title,
            "status": self.status,
            "detail": self.detail,
        }

    @property
    def response(self) -> JSONResponse:
        """The answer itself."""
        return JSONResponse(self.body, self.status, self.headers, MEDIA_TYPE)


class ProblemBody(BaseModel):
    """``application/problem+json``."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str


def problem_of(error: RoadmaskError) -> ProblemError:
    """What a file holds is the request's matter; anything else of ours is the server's."""
    large = isinstance(error, TooManyPixelsError)
    status = 413 if large else 422 if isinstance(error, DataError) else 500
    return ProblemError(status, " ".join(str(error).split()))


def describe(*statuses: int) -> dict[int | str, dict[str, object]]:
    """The ``responses`` of a route, for its OpenAPI description; with 401 goes 429."""
    return {
        status: {
            "description": HTTPStatus(status).phrase,
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemBody"}}},
        }
        for status in (*statuses, *([429] if 401 in statuses else []))
    }


def install_handlers(app: FastAPI) -> None:
    """Turn every error of ``app`` into a problem."""
    app.add_exception_handler(ProblemError, _problem)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(ClientDisconnect, _gone)
    app.add_exception_handler(RoadmaskError, _roadmask)
    app.add_exception_handler(Exception, _unexpected)


async def _problem(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, ProblemError)
    return error.response


async def _invalid(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"][1:]) or "request"
    return ProblemError(422, f"{place}: {first['msg']}").response


async def _http(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    return ProblemError(error.status_code, str(error.detail), error.headers).response


async def _gone(_: Request, __: Exception) -> JSONResponse:
    # Nobody reads it; without it every half-sent request would be a traceback in the log.
    return ProblemError(400, "the request was broken off").response


async def _roadmask(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RoadmaskError)
    return problem_of(error).response


async def _unexpected(_: Request, __: Exception) -> JSONResponse:
    # uvicorn logs the traceback, and closes the connection: who would send more on it is told so.
    return ProblemError(
        500, "the server failed on this request; its log says how", {"Connection": "close"}
    ).response


class TooManyPixelsError(DataError):
    """A picture that would take too much memory to decode."""


class CutOff:
    """ASGI middleware: a request that the server's end cuts is told so, if nothing was sent yet."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on."""
        begun = scope["type"] != "http"

        async def send_and_see(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._app(scope, receive, send_and_see)
        except asyncio.CancelledError:
            if not begun:
                await busy("the server is ending", 5).response(scope, receive, send)
            raise


def busy(why: str, retry_after_s: int) -> ProblemError:
    """503 with Retry-After."""
    return ProblemError(
        503, f"{why}: try again in {retry_after_s} s", {"Retry-After": f"{retry_after_s}"}
    )
