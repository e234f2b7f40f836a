"""A limit to how many frames a second are segmented."""

from __future__ import annotations


class RateLimit:
    """Lets through at most ``max_fps`` frames a second on average, as evenly as they come.

    Args:
        max_fps: the limit; 0 lets everything through.
        source_fps: of the frames; a frame that comes up to a quarter of its period early counts
            as in time, since cameras are not exact.
    """

    def __init__(self, max_fps: float, source_fps: float) -> None:
        self._interval_ns = round(1e9 / max_fps) if max_fps else 0
        self._tolerance_ns = round(0.25e9 / source_fps) if source_fps else 0
        self._due_ns = 0

    def early_s(self, now_ns: int) -> float:
        """Seconds by which a frame of ``now_ns`` comes too early; 0 for one that may pass."""
        if not self._interval_ns:
            return 0.0
        early_ns = self._due_ns - now_ns
        if early_ns > self._tolerance_ns:
            return early_ns * 1e-9
        self._due_ns += self._interval_ns
        if self._due_ns < now_ns:  # the first, or one after a pause: no burst to catch up
            self._due_ns = now_ns + self._interval_ns
        return 0.0
