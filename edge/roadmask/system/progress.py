"""How far a long command is: one policy for all of them.

On a terminal bars; into a pipe or a log a line at the start and every 10 s; with ``--progress
json`` a JSON line for each part and every 2 s; with ``--quiet`` nothing. All of it goes to standard
error, also while a library's own chatter is kept away from there.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Sized
from contextlib import contextmanager, suppress
from typing import Any, TextIO, TypeVar

Item = TypeVar("Item")
AUTO, JSON, QUIET = "auto", "json", "quiet"
_EVERY_S = {AUTO: 10.0, JSON: 2.0}


class Count:
    """A part of the work under way.

    Attributes:
        title: what it is.
        total: how much there is of it; None for what cannot be counted.
        unit: of ``total``.
        done: so much is.
        note: said behind.
    """

    def __init__(self, title: str, total: int | None, unit: str, done: int = 0) -> None:
        self.title, self.total, self.unit, self.done, self.note = title, total, unit, done, ""
        self.started = time.monotonic()
        self.bar: Any = None

    def update(self, count: int = 1, note: str = "") -> None:
        """So much more is done."""
        self.done += count
        self.note = note or self.note
        if self.bar is not None:
            if note:
                self.bar.set_postfix_str(note, refresh=False)
            self.bar.update(count)

    def line(self) -> str:
        """For people."""
        counted = "" if self.total is None else f" {self.done}/{self.total} {self.unit}s"
        note = f", {self.note}" if self.note else ""
        return f"{self.title}{counted}{note} ({time.monotonic() - self.started:.0f} s)"

    def record(self) -> dict[str, Any]:
        """For programs."""
        return {
            "title": self.title,
            "done": self.done,
            "total": self.total,
            "unit": self.unit,
            "note": self.note,
            "seconds": round(time.monotonic() - self.started, 1),
        }


class _Reporter:
    """Of this process; says nothing before ``use``, but shows bars on a terminal."""

    def __init__(self) -> None:
        self.mode, self.parts = AUTO, list[Count]()
        self.stream: TextIO | None = None
        self._said = 0.0
        self._thread: threading.Thread | None = None

    @property
    def bars(self) -> bool:
        """Whether there is somebody to look at them."""
        stream = self.stream or sys.stderr
        return self.mode == AUTO and stream is not None and stream.isatty()

    def use(self, mode: str) -> None:
        """From now on, for a command."""
        self.mode = mode
        if self.stream is None:
            with suppress(OSError):  # closed
                self.stream = os.fdopen(os.dup(2), "w", buffering=1, errors="backslashreplace")
        if mode != QUIET and not self.bars and self._thread is None:
            self._thread = threading.Thread(target=self._tick, name="progress", daemon=True)
            self._thread.start()

    def begin(self, part: Count) -> None:
        """It is under way; told at once where nothing was for a while, and to programs always."""
        self.parts.append(part)
        if self.stream is None or self.mode == QUIET or self.bars:
            return
        if self.mode == JSON or time.monotonic() - self._said >= _EVERY_S[AUTO]:
            self._tell(part)

    def _tick(self) -> None:
        wake = threading.Event()
        while not wake.wait(0.5):
            every_s = _EVERY_S.get(self.mode)
            parts = self.parts[-1:]
            if parts and every_s and time.monotonic() - self._said >= every_s:
                self._tell(parts[0])

    def _tell(self, part: Count) -> None:
        self._said = time.monotonic()
        self.write(json.dumps(part.record()) if self.mode == JSON else part.line())

    def write(self, line: str) -> None:
        """A line, where lines go."""
        with suppress(OSError, ValueError):  # a log on a full disk: the work goes on
            print(line, file=self.stream or sys.stderr, flush=True)


_reporter = _Reporter()


def add_progress(parser: argparse.ArgumentParser) -> None:
    """``--quiet`` and ``--progress``."""
    add = parser.add_argument_group("progress").add_argument
    add("--quiet", action="store_true", help="say nothing but results and errors")
    add(
        "--progress",
        choices=(AUTO, JSON),
        default=AUTO,
        help="bars on a terminal and else a line every 10 s (auto), or JSON lines",
    )


def use_progress(options: argparse.Namespace) -> None:
    """As the command line says."""
    _reporter.use(QUIET if options.quiet else options.progress)


@contextmanager
def part(
    title: str, total: int | None = None, unit: str = "frame", done: int = 0, show: bool = True
) -> Iterator[Count]:
    """A part of the work; ``update`` what is yielded.

    Args:
        title: what it is.
        total: how much there is of it, if it can be counted.
        unit: of which.
        done: before it begins.
        show: False keeps it to itself.
    """
    made = Count(title, total, unit, done)
    if not show:
        yield made
        return
    _reporter.begin(made)
    if _reporter.bars:
        made.bar = _bar(made)
    try:
        yield made
    finally:
        _reporter.parts.remove(made)
        if made.bar is not None:
            made.bar.close()


def track(
    items: Iterable[Item],
    title: str,
    total: int | None = None,
    unit: str = "frame",
    show: bool = True,
) -> Iterator[Item]:
    """The items, and how many of them are done."""
    if total is None and isinstance(items, Sized):
        total = len(items)
    with part(title, total, unit, show=show) as made:
        for item in items:
            yield item
            made.update()


def say(line: str) -> None:
    """A line of news on standard output, above a bar if there is one."""
    if _reporter.bars and any(each.bar is not None for each in _reporter.parts):
        from tqdm import tqdm

        tqdm.write(line)
    else:
        print(line, flush=True)


def _bar(made: Count) -> Any:
    try:
        from tqdm import tqdm
    except ImportError:
        return None
    stream = _reporter.stream or sys.stderr
    if made.total is None:
        return tqdm(desc=made.title, bar_format="{desc}", leave=False, file=stream)
    return tqdm(desc=made.title, total=made.total, initial=made.done, unit=made.unit, file=stream)
