"""``roadmask top``: how a stream is doing, in a terminal, as one more subscriber sees it."""

from __future__ import annotations

import select
import shutil
import sys
import termios
import threading
import tty
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

from roadmask.errors import CaptureError
from roadmask.stream.subscribe.policy import TAKE_EVERYTHING
from roadmask.stream.subscribe.subscriber import Subscriber
from roadmask.system.clock import now_ns
from roadmask.system.files import write_json
from roadmask.tools.top_view import StreamView, render

_REDRAW_S = 0.5
_CLEAR, _HOME = "\x1b[J", "\x1b[H"
_ENTER, _LEAVE = "\x1b[?1049h\x1b[?25l", "\x1b[?25h\x1b[?1049l"  # own screen, no cursor; and back


def top(
    socket: str,
    *,
    once: bool = False,
    json_path: Path | None = None,
    wait_s: float = 10.0,
    stop: threading.Event,
) -> dict[str, Any]:
    """Show the stream at ``socket`` until ``stop`` or the key q; returns the last snapshot.

    Args:
        socket: path of the daemon's socket.
        once: print one snapshot, of the first second of masks or of why there are none.
        json_path: written at the end.
        wait_s: how long to wait for a stream with ``once``.
        stop: set it to end.

    Raises:
        CaptureError: with ``once``: no stream came.
    """
    view = StreamView(socket)
    interactive = not once and sys.stdout.isatty()
    with Subscriber(socket, max_age_ms=60_000, **TAKE_EVERYTHING) as subscriber:
        if once:
            _collect(view, subscriber, stop, wait_s)
        else:
            with _terminal() if interactive else nullcontext():
                _loop(view, subscriber, stop, interactive)
        shot = view.snapshot(subscriber)
        if once and not subscriber.connected:
            raise CaptureError(
                f"no stream at {socket} after {wait_s:g} s ({subscriber.reason_text}): start "
                f"'roadmask run --socket {socket}' or give its socket with --socket"
            )
    if once:
        print("\n".join(render(shot)))
    if json_path is not None:
        write_json(json_path, shot)
    return shot


def _collect(
    view: StreamView, subscriber: Subscriber, stop: threading.Event, wait_s: float
) -> None:
    """A second of masks; a stream that has none is waited for no longer than that."""
    end_ns = now_ns() + int(wait_s * 1e9)
    connected = False
    while now_ns() < end_ns and not stop.is_set():
        mask = subscriber.receive(timeout_s=0.05, copy=False)
        if not connected and subscriber.connected:
            connected, end_ns = True, now_ns() + 1_000_000_000
        if mask is not None:
            view.add(mask)


def _loop(
    view: StreamView, subscriber: Subscriber, stop: threading.Event, interactive: bool
) -> None:
    draw_ns = now_ns()
    while not stop.is_set() and not (interactive and _key_pressed() == "q"):
        mask = subscriber.receive(timeout_s=0.05, copy=False)
        if mask is not None:
            view.add(mask)
        if now_ns() < draw_ns:
            continue
        draw_ns = now_ns() + int((_REDRAW_S if interactive else 10 * _REDRAW_S) * 1e9)
        lines = render(view.snapshot(subscriber), color=interactive)
        if interactive:
            width, height = shutil.get_terminal_size()
            shown = [_cut(line, width) for line in (*lines, "", "q quits")[:height]]
            print(_HOME + "\x1b[K\r\n".join(shown) + _CLEAR, end="", flush=True)
        else:
            print("\n".join((*lines, "")), flush=True)


def _cut(line: str, width: int) -> str:
    """The line, no wider than the screen; escape sequences have no width."""
    return line if "\x1b" in line else line[:width]


def _key_pressed() -> str:
    ready, _, _ = select.select([sys.stdin], [], [], 0)
    return sys.stdin.read(1) if ready else ""


@contextmanager
def _terminal() -> Iterator[None]:
    """A screen of our own and keys without Enter; all as it was afterwards, whatever happens."""
    keys = sys.stdin.isatty()
    before = termios.tcgetattr(sys.stdin) if keys else None
    try:
        if keys:
            tty.setcbreak(sys.stdin)
        print(_ENTER, end="", flush=True)
        yield
    finally:
        print(_LEAVE, end="", flush=True)
        if before is not None:
            termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)
