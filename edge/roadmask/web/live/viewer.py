"""One page that looks at the live stream, and how much it can take."""

from __future__ import annotations

import asyncio
import json
from collections import deque

from fastapi import WebSocket

from roadmask.system.clock import now_ns

_IN_FLIGHT = 2  # frames: one under way while the other is drawn


class Viewer:
    """One page that looks: what is to be sent to it, and what it has not drawn yet."""

    def __init__(self) -> None:
        self.change = asyncio.Event()
        self._frame: tuple[int, bytes] | None = None
        self._status: str | None = None
        self._asked: int | None = None
        self._in_flight: deque[int] = deque()

    @property
    def ready(self) -> bool:
        """It has drawn what it got, and may have a frame."""
        return self._frame is None and len(self._in_flight) < _IN_FLIGHT

    def offer(self, sequence: int, frame: bytes) -> None:
        """A new frame; one that was not sent yet makes room for it."""
        if len(self._in_flight) < _IN_FLIGHT:
            self._frame = (sequence, frame)
            self.change.set()

    def tell(self, status: str) -> None:
        """A new status, in place of one that was not sent yet."""
        self._status = status
        self.change.set()

    def ask_clock(self, number: int) -> None:
        """It wants this machine's time, to bound the age of what it gets."""
        self._asked = number
        self.change.set()

    def acknowledge(self, sequence: int) -> None:
        """It has drawn that frame, and with it all before."""
        while sequence in self._in_flight:
            self._in_flight.popleft()

    async def send_to(self, socket: WebSocket) -> None:
        """Send what is there, for ever."""
        while True:
            await self.change.wait()
            self.change.clear()
            if self._asked is not None:
                number, self._asked = self._asked, None
                answer = {"type": "clock", "echo": number, "now_ms": now_ns() / 1e6}
                await socket.send_text(json.dumps(answer))
            if self._status is not None:
                status, self._status = self._status, None
                await socket.send_text(status)
            if self._frame is not None:
                (sequence, data), self._frame = self._frame, None
                self._in_flight.append(sequence)
                await socket.send_bytes(data)
