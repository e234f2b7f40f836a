"""A reason that comes and goes with hysteresis."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from roadmask.stream.modes import Reason


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


class Latches:
    """A latch for each of ``reasons``.

    Args:
        raise_s, clear_s: how long all looks must be bad, or good.
    """

    def __init__(self, reasons: Iterable[Reason], raise_s: float, clear_s: float) -> None:
        times_ns = round(raise_s * 1e9), round(clear_s * 1e9)
        self._latches = {reason: Latch(*times_ns) for reason in reasons}

    def update(self, judged: Mapping[Reason, tuple[bool, bool]], now_ns: int) -> Reason:
        """Those that hold now; ``judged`` says of each whether this look was bad, and good."""
        reasons = Reason.NONE
        for reason, latch in self._latches.items():
            if latch.update(*judged[reason], now_ns):
                reasons |= reason
        return reasons
