"""One set-up of the log for all commands: bounded lines, as text, for journald or as JSON."""

from __future__ import annotations

import atexit
import contextlib
import json
import logging
import os
import queue
import sys
import threading
import time
from collections.abc import Callable
from logging.handlers import QueueHandler

FORMATS = ("auto", "text", "journal", "json")
_WAITING_LINES, _LAST_WORDS_S = 1000, 1.0
_BURST, _SPAN_S = 10, 10.0  # so many lines of one kind in such a time, then a count
# journald reads the priority off the line's beginning, as syslog numbers it.
_PRIORITY = {logging.DEBUG: 7, logging.INFO: 6, logging.WARNING: 4, logging.ERROR: 3}


def set_up_logs(kind: str = "auto", level: str = "info") -> None:
    """Write the log of this process to standard error, in a thread of its own.

    A reader of standard error that stops reading blocks that thread alone: what is logged
    meanwhile is lost, and no frame waits.

    Args:
        kind: one of ``FORMATS``; ``auto`` is ``journal`` where systemd reads, else ``text``.
        level: of what is written.
    """
    if kind == "auto":
        kind = "journal" if _journald_reads() else "text"
    writer = _QuietHandler(sys.stderr)
    writer.setFormatter(_Line(kind))
    handler = _BackgroundHandler(writer)
    handler.addFilter(RateLimitFilter())
    handler.setFormatter(logging.Formatter("%(message)s"))  # the writer makes the line
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    atexit.register(handler.finish)


class _BackgroundHandler(QueueHandler):
    def __init__(self, writer: logging.Handler) -> None:
        self._lines: queue.Queue[logging.LogRecord | None] = queue.Queue(_WAITING_LINES)
        super().__init__(self._lines)
        self._writer = writer
        self._thread = threading.Thread(target=self._run, name="log", daemon=True)
        self._thread.start()

    def enqueue(self, record: logging.LogRecord) -> None:
        """Lost where too many wait."""
        with contextlib.suppress(queue.Full):
            self._lines.put_nowait(record)

    def finish(self) -> None:
        """Write what waits, as far as somebody reads."""
        with contextlib.suppress(queue.Full):
            self._lines.put_nowait(None)
            self._thread.join(_LAST_WORDS_S)

    def _run(self) -> None:
        while (record := self._lines.get()) is not None:
            self._writer.handle(record)


def _journald_reads() -> bool:
    """Whether standard error is the very stream that systemd named."""
    device, _, inode = os.environ.get("JOURNAL_STREAM", "").partition(":")
    try:
        status = os.fstat(sys.stderr.fileno())
    except (OSError, AttributeError, ValueError):
        return False
    return (device, inode) == (str(status.st_dev), str(status.st_ino))


class _QuietHandler(logging.StreamHandler):  # type: ignore[type-arg]
    """A full disk or a closed stream loses the line, not the daemon."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        """Nothing can be said where nothing can be written."""


class _Line(logging.Formatter):
    def __init__(self, kind: str) -> None:
        super().__init__()
        self._kind = kind

    def format(self, record: logging.LogRecord) -> str:
        """One line, whatever the message holds."""
        text = " ".join(record.getMessage().split())
        if self._kind == "json":
            row = {
                "time_ns": time.clock_gettime_ns(time.CLOCK_BOOTTIME),
                "level": record.levelname.lower(),
                "part": record.name.removeprefix("roadmask."),
                "text": text,
            }
            return json.dumps(row, ensure_ascii=False)
        line = f"roadmask: {text}"
        return f"<{_PRIORITY.get(record.levelno, 3)}>{line}" if self._kind == "journal" else line


class RateLimitFilter(logging.Filter):
    """Lets a few lines of each kind pass in a while, and counts the rest.

    A kind is a place in the code with its text before the values are put in: a camera that flaps
    does not fill the disk, and does not hide what else happens.
    """

    def __init__(self, now_s: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._now_s = now_s
        self._seen: dict[tuple[str, str], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the line is written; the first after a silence tells how many were not."""
        kind, now_s = (record.name, str(record.msg)), self._now_s()
        since_s, count = self._seen.get(kind, (now_s, 0))
        if now_s - since_s >= _SPAN_S:
            if count > _BURST:
                record.msg = f"{record.getMessage()} (and {count - _BURST} more like it before)"
                record.args = ()
            since_s, count = now_s, 0
        self._seen[kind] = since_s, count + 1
        return count < _BURST
