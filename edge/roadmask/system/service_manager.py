"""What systemd is told (``Type=notify``): ready, alive, reloading, stopping."""

from __future__ import annotations

import contextlib
import os
import socket
import time

from roadmask.system.clock import now_ns


class ServiceManager:
    """The manager at ``$NOTIFY_SOCKET``; without one, every call does nothing.

    ``alive`` is for those places alone that prove the daemon's worth: a published frame, a told
    fault. A timer that calls it would keep a hung daemon running.

    Args:
        environment: where the socket and the watchdog's period stand.
    """

    def __init__(self, environment: dict[str, str] | None = None) -> None:
        environment = dict(os.environ) if environment is None else environment
        self._address = environment.get("NOTIFY_SOCKET", "")
        span_us = int(environment.get("WATCHDOG_USEC") or 0)
        if environment.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
            span_us = 0
        self._period_ns = span_us * 1000 // 4
        self._fed_ns = -self._period_ns  # the first call feeds
        self._is_ready = False

    def ready(self, status: str) -> None:
        """The stream is there."""
        first = "READY=1\n" if not self._is_ready else ""
        self._is_ready = True
        self._tell(f"{first}STATUS={status}")

    def alive(self) -> None:
        """A frame is out, or a fault told; cheap enough for every frame."""
        if self._period_ns and (now := now_ns()) - self._fed_ns >= self._period_ns:
            self._fed_ns = now
            self._tell("WATCHDOG=1")

    def reloading(self) -> None:
        """A reload begins; ``ready`` ends it."""
        self._is_ready = False
        self._tell(f"RELOADING=1\nMONOTONIC_USEC={_monotonic_us()}")

    def stopping(self) -> None:
        """The daemon ends in order."""
        self._tell("STOPPING=1")

    def _tell(self, text: str) -> None:
        if not self._address:
            return
        path = self._address
        address = "\0" + path[1:] if path.startswith("@") else path
        with (
            contextlib.suppress(OSError),  # a manager that is gone is none of a frame's business
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as peer,
        ):
            peer.setblocking(False)
            peer.sendto(text.encode(), address)


NO_MANAGER = ServiceManager({})


def _monotonic_us() -> int:
    return time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
