"""Every change of the stream's mode in the log, with its reasons and how long the last one held."""

from __future__ import annotations

import logging

from roadmask.stream.modes import Mode, Reason, names
from roadmask.system.clock import now_ns

_log = logging.getLogger(__name__)
_LEVEL = {Mode.OK: logging.INFO, Mode.DEGRADED: logging.WARNING}


class ModeLog:
    """Writes a line when the mode or a reason changed."""

    def __init__(self) -> None:
        self._last, self._since_ns = "", now_ns()

    def note(self, mode_bits: int) -> None:
        """The stream's mode word from now on."""
        mode, reasons = Mode(mode_bits & 3), Reason(mode_bits & ~0xFF)
        text = mode.name if not reasons else f"{mode.name} {names(reasons)}"
        now = now_ns()
        after = f" after {(now - self._since_ns) / 1e9:.1f} s {self._last}" if self._last else ""
        _log.log(_LEVEL.get(mode, logging.ERROR), "%s%s", text, after)
        self._last, self._since_ns = text, now
