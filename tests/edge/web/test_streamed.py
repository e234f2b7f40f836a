"""An answer made while it is sent has its end, whoever leaves when; HEAD makes none of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

pytest.importorskip("fastapi")

from roadmask.web.streamed import HEAD_ONLY, Streamed


def ran(scope: dict[str, Any], fails_at: str = "") -> list[str]:
    """What happened, in order, to a reader who leaves at a kind of message."""
    seen: list[str] = []

    async def parts() -> AsyncIterator[bytes]:
        for part in (b"one", b"two"):
            seen.append(f"made {part.decode()}")
            yield part

    async def done() -> None:
        seen.append("done")

    async def receive() -> dict[str, Any]:
        await asyncio.Event().wait()
        raise AssertionError

    async def send(message: dict[str, Any]) -> None:
        if message["type"] == fails_at:
            raise OSError("gone")
        seen.append(f"sent {message.get('body', b'head').decode()}".strip())

    async def answer() -> None:
        try:
            await Streamed(parts(), done)(
                {"type": "http", "asgi": {"spec_version": "2.4"}, **scope},
                receive,
                send,  # type: ignore[arg-type]
            )
        except Exception:
            assert fails_at

    asyncio.run(answer())
    return seen


def test_it_ends_however_it_goes() -> None:
    whole = ["sent head", "made one", "sent one", "made two", "sent two", "sent", "done"]
    assert ran({}) == whole
    assert ran({}, "http.response.start") == ["done"]
    assert ran({}, "http.response.body") == ["sent head", "made one", "done"]


def test_of_a_head_nothing_is_made() -> None:
    assert ran({HEAD_ONLY: True}) == ["sent head", "sent", "done"]
