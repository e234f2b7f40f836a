"""A reason that comes and goes with hysteresis."""

from __future__ import annotations


class Latch:
    """Set after a time of bad looks, cleared after one of good ones.

    Args:
        raise_ns, clear_ns: how long all looks must be bad, or good.

    Attributes:
        on: whether it is set.
    """

    def __init__(self, raise_ns: int, clear_ns: int) -> None:
        self._limits_ns = (raise_ns, clear_ns)
        self._since_ns: int | None = None  # of what speaks against ``on``
        self.on = False

    def update(self, bad: bool, good: bool, now_ns: int) -> bool:
        """Neither bad nor good is the band between the limits: it leaves all as it is."""
        if good if self.on else bad:
            if self._since_ns is None:
                self._since_ns = now_ns
            if now_ns - self._since_ns >= self._limits_ns[self.on]:
                self.on, self._since_ns = not self.on, None
        elif bad or good:
            self._since_ns = None
        return self.on
