"""What every command line shares: exit codes, one-line errors, argument types."""

from __future__ import annotations

import argparse
import math
import os
import re
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from typing import TypeVar

from roadmask.errors import RoadmaskError

EXIT_DONE, EXIT_GATE, EXIT_UNUSABLE = 0, 1, 2
EXIT_INTERRUPTED = 130  # 128 + SIGINT, as a shell reports it
Number = TypeVar("Number", int, float)


def run_command(body: Callable[[], int], *, verbose: bool) -> int:
    """Run ``body``; a RoadmaskError becomes one line on standard error and exit code 2."""
    try:
        return body()
    except RoadmaskError as error:
        if verbose:
            traceback.print_exc()
        print(f"roadmask: {' '.join(str(error).split())}", file=sys.stderr)
        return EXIT_UNUSABLE
    except KeyboardInterrupt:
        print("roadmask: interrupted", file=sys.stderr)
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # The reader of our output has gone (``| head``); keep the interpreter's exit quiet too.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_DONE


def stop_on_signal() -> threading.Event:
    """An event that SIGINT and SIGTERM set, so that everything is left in order."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    return stop


def unwind_on_sigterm() -> None:
    """SIGTERM ends this process as Ctrl-C does, so that what it started ends with it."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)


def parse_size(text: str) -> tuple[int, int]:
    """``480x352`` → ``(480, 352)``, for argparse."""
    match = re.fullmatch(r"(\d+)x(\d+)", text)
    if not match or int(match[1]) == 0 or int(match[2]) == 0:
        raise argparse.ArgumentTypeError(f"{text!r}: expected WIDTHxHEIGHT in px, e.g. 480x352")
    return int(match[1]), int(match[2])


def at_least(lowest: Number) -> Callable[[str], Number]:
    """Numbers of the kind of ``lowest`` and no smaller, none infinite, for argparse."""

    def parse(text: str) -> Number:
        try:
            number = type(lowest)(text)
            if lowest <= number < math.inf:
                return number
        except ValueError:
            pass
        kind = "a whole number" if isinstance(lowest, int) else "a number"
        raise argparse.ArgumentTypeError(f"{text!r}: expected {kind}, {lowest:g} or more")

    return parse
