"""The live page's stream of events."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, WebSocket, WebSocketDisconnect

from roadmask.web.live.hub import LiveHub

_TOO_MANY, _MALFORMED = 1013, 1007


router = APIRouter()


@router.websocket("/live")
async def live(socket: WebSocket) -> None:
    """Binary frames and text statuses; the viewer sends ``{"ack": SEQUENCE}`` for each frame.

    It may ask for this machine's time with ``{"clock": NUMBER}``.
    """
    hub: LiveHub = socket.app.state.server.hub
    await socket.accept()
    if hub.full:
        await socket.close(_TOO_MANY, "too many viewers")
        return
    viewer = hub.join()
    sender = asyncio.create_task(viewer.send_to(socket))
    try:
        while (said := _said(await socket.receive())) is not None:
            word, number = said
            if word == "ack":
                hub.acknowledge(viewer, number)
            else:
                viewer.ask_clock(number)
        await socket.close(_MALFORMED, 'expected {"ack": SEQUENCE} or {"clock": NUMBER}')
    except (WebSocketDisconnect, RuntimeError):  # it is gone
        pass
    finally:
        hub.leave(viewer)
        sender.cancel()
        await asyncio.gather(sender, return_exceptions=True)


def _said(message: Mapping[str, Any]) -> tuple[str, int] | None:
    if message["type"] == "websocket.disconnect":
        raise WebSocketDisconnect(message["code"])
    try:
        said = json.loads(message["text"])
        word = "ack" if "ack" in said else "clock"
        return word, int(said[word])
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
        return None
