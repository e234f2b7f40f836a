"""When the frames of a file or of the town are released: by the clock, or as fast as taken."""

from __future__ import annotations

import threading

from roadmask.system.clock import now_ns


class Pace:
    """Frame ``i`` of a real-time source is due ``i / fps`` after the first ``next``.

    Args:
        fps: frames per second.
        realtime: False releases every frame at once.
    """

    def __init__(self, fps: float, realtime: bool) -> None:
        self._fps, self._realtime = fps, realtime
        self._start_ns: int | None = None
        self._next = 0
        self._pause = threading.Event()  # never set: a sleep by timeout

    def next(self, timeout_s: float) -> int | None:
        """The index of the frame to show now, or None when it is not due within ``timeout_s``.

        A late caller is handed the index that is due now; those between were never shown.
        """
        if self._realtime:
            now = now_ns()
            if self._start_ns is None:
                self._start_ns = now
            elapsed = (now - self._start_ns) * 1e-9
            self._next = max(self._next, int(elapsed * self._fps))
            wait_s = self._next / self._fps - elapsed
            if wait_s > timeout_s:
                self._pause.wait(max(timeout_s, 0.0))
                return None
            if wait_s > 0:
                self._pause.wait(wait_s)
        index = self._next
        self._next += 1
        return index
