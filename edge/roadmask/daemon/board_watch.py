"""THERMAL and POWER: the board is looked at once a second, in a thread of its own."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from roadmask.stream.modes import Reason
from roadmask.system.board import BoardState, read_board

_log = logging.getLogger(__name__)
_LOOK_S = 1.0
_CALM_LOOKS = 5  # so many without it, one after the other, end a reason


class BoardWatch:
    """Says what holds the board back; a context manager.

    A reason is there with the first look that shows it, and goes after some that do not: a board at
    its limit goes to and fro.

    Args:
        look: reads the board, given what it was before.

    Attributes:
        reasons: THERMAL, POWER, both or none; read with every frame.
        state: the last look.
    """

    def __init__(
        self,
        look: Callable[[BoardState | None], BoardState] = lambda before: read_board(before=before),
    ) -> None:
        self._look = look
        self.reasons = Reason.NONE
        self.state: BoardState | None = None
        self._calm = {Reason.THERMAL: _CALM_LOOKS, Reason.POWER: _CALM_LOOKS}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="board", daemon=True)

    def __enter__(self) -> BoardWatch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def look(self) -> Reason:
        """Look once, and return ``reasons``."""
        self.state = state = self._look(self.state)
        before, found = self.reasons, Reason.NONE
        for reason, now in ((Reason.THERMAL, state.hot), (Reason.POWER, state.weak)):
            self._calm[reason] = 0 if now else self._calm[reason] + 1
            if self._calm[reason] < _CALM_LOOKS:
                found |= reason
        if found & ~before:
            _log.warning("the board is held back: %s", state.describe())
        elif before and not found:
            _log.info("the board is free again: %s", state.describe())
        self.reasons = found
        return found

    def _run(self) -> None:
        while True:
            self.look()
            if self._stop.wait(_LOOK_S):
                return
