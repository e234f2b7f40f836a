"""Keep the chatter that C++ libraries write straight to the terminal away from it."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TextIO


@contextmanager
def quiet(enabled: bool = True) -> Iterator[TextIO]:
    """Drop what the process writes to standard output and error, C++ included.

    Yields:
        A stream to the real standard error, for a progress bar.
    """
    if not enabled:
        yield sys.stderr
        return
    sys.stdout.flush()
    sys.stderr.flush()
    kept = [os.dup(1), os.dup(2)]
    nowhere = os.open(os.devnull, os.O_WRONLY)
    terminal = os.fdopen(os.dup(kept[1]), "w", buffering=1)
    try:
        os.dup2(nowhere, 1)
        os.dup2(nowhere, 2)
        yield terminal
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        for number, saved in enumerate(kept, start=1):
            os.dup2(saved, number)
            os.close(saved)
        os.close(nowhere)
        terminal.close()


_SHOW_EVERY_S = 0.5


class LiveLine:
    """One line on standard error, rewritten in place on a terminal, quiet in a pipe."""

    def __init__(self) -> None:
        self._terminal = sys.stderr.isatty()
        self._next = 0.0

    def show(self, text: str) -> None:
        """Show ``text``, at most twice a second."""
        now = time.monotonic()
        if now >= self._next:
            self._next = now + (_SHOW_EVERY_S if self._terminal else 10 * _SHOW_EVERY_S)
            end = "" if self._terminal else "\n"
            start = "\r\x1b[K" if self._terminal else ""
            self._print(f"{start}{text}{end}")

    def end(self) -> None:
        """Leave the cursor on a line of its own."""
        if self._terminal:
            self._print("\n")

    def _print(self, text: str) -> None:
        with suppress(OSError):  # a terminal that hung up, a log on a full disk: the work goes on
            print(text, end="", file=sys.stderr, flush=True)
