"""What every command line shares: streams, exit codes, one-line errors, argument types."""

from __future__ import annotations

import argparse
import contextlib
import functools
import io
import os
import re
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from typing import Any, NoReturn, Protocol

from roadmask.errors import RoadmaskError

EXIT_DONE, EXIT_GATE, EXIT_UNUSABLE = 0, 1, 2
_parent_tells = False  # see ``leave_interruptions_to_parent``
EXIT_INTERRUPTED = 130  # 128 + SIGINT, as a shell reports it


class Parser(argparse.ArgumentParser):
    """Of every command: what is wrong is said in one line, without a page of usage."""

    def _print_message(self, message: str, file: Any = None) -> None:
        """argparse's own passes over an error: help that nobody got would be exit code 0."""
        if file is not sys.stdout:
            super()._print_message(message, file)
            return
        try:
            print(message, end="")
        except BrokenPipeError:
            _discard_output()
        except OSError as error:
            _refused(error)
            self.exit(EXIT_UNUSABLE)

    def error(self, message: str) -> NoReturn:
        """Say it and end with exit code 2."""
        line = re.sub(r"^argument (\S+): ", r"\1 ", " ".join(message.split()))
        remedy = "" if "expected" in line else f"; see {self.prog} --help"
        self.exit(EXIT_UNUSABLE, f"roadmask: {line}{remedy}\n")


class Main(Protocol):
    """A command's ``main``: arguments, by default the process's own, to an exit code."""

    def __call__(self, arguments: list[str] | None = None) -> int:
        """Run the command."""


def entry_point(main: Main) -> Main:
    """A ``main`` that finds three open streams and whose last line of output was written.

    A stream that was closed (``>&-``) is opened on ``/dev/null``: else the next file or socket
    would take its number, and libraries that print from C++ would print into that.
    """

    @functools.wraps(main)
    def wrapped(arguments: list[str] | None = None) -> int:
        open_streams()
        try:
            code = main(arguments)
        except SystemExit:  # --help, or arguments that argparse refuses
            if _flush_output():
                raise
            return EXIT_UNUSABLE
        except BrokenPipeError:
            _discard_output()
            return EXIT_DONE
        except OSError as error:  # --version, unbuffered: what runs a command catches its own
            _refused(error)
            return EXIT_UNUSABLE
        return code if _flush_output() else EXIT_UNUSABLE

    return wrapped


def open_streams() -> None:
    """Give the process a standard input, output and error, and let them take any text."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            try:
                os.fstat(number)
            except OSError:  # the lowest number that is free, and those below it are taken
                os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # children need it too
            setattr(sys, name, os.fdopen(number, "r" if name == "stdin" else "w", closefd=False))
        stream = getattr(sys, name)
        if number and isinstance(stream, io.TextIOWrapper):
            # A file's name need not be UTF-8, and a terminal need not be either.
            stream.reconfigure(errors="backslashreplace")


def run_command(body: Callable[[], int], *, verbose: bool) -> int:
    """Run ``body``; whatever it raises becomes one line on standard error and exit code 2."""
    try:
        return body()
    except KeyboardInterrupt:
        return interrupted()
    except BrokenPipeError:
        # The reader of our output has gone (``| head``); keep the interpreter's exit quiet too.
        _discard_output()
        return EXIT_DONE
    except Exception as error:
        if verbose:
            traceback.print_exc()
        complain(_reason(error))
        return EXIT_UNUSABLE


def leave_interruptions_to_parent() -> None:
    """A guard's child may be killed at any moment of its end: the guard says the line, once."""
    global _parent_tells
    _parent_tells = True


def interrupted() -> int:
    """The line of an interruption, and its exit code."""
    if not _parent_tells:
        complain("interrupted")
    return EXIT_INTERRUPTED


def complain(text: str) -> None:
    """One line on standard error; nothing where it is gone or full."""
    with contextlib.suppress(OSError):
        print(f"roadmask: {' '.join(text.split())}", file=sys.stderr, flush=True)


def _reason(error: Exception) -> str:
    if isinstance(error, RoadmaskError):
        return str(error)
    kind, text = type(error).__name__, " ".join(str(error).split())[:300]
    if "can't start new thread" in text:
        from roadmask.system.scheduling import no_thread

        return no_thread()
    if isinstance(error, MemoryError):
        from roadmask.system.scheduling import what_lacks

        return what_lacks() or f"there was no room: {text or kind}; try again with more memory"
    if isinstance(error, OSError) and error.filename is not None:
        name = os.fsdecode(error.filename) if error.filename else "''"
        return f"{name}: {error.strerror}; give a path that can be used, or mend this one"
    if isinstance(error, OSError):
        return f"{error.strerror or text or kind}: the system refused; -v shows where"
    return f"this should not happen: {kind} {text}; run it again with -v and report what it shows"


def _flush_output() -> bool:
    """Write what standard output still holds; False, and a line, where that fails."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        _discard_output()
    except OSError as error:
        _refused(error)
        return False
    return True


def _refused(error: OSError) -> None:
    """Standard output took nothing: say it."""
    _discard_output()
    complain(f"standard output cannot be written: {error.strerror}; send it where is room")


def _discard_output() -> None:
    """What is left in the buffer goes nowhere, or the interpreter's end would fail on it."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
    sys.stdout.flush()


def stop_on_signal() -> threading.Event:
    """An event that SIGINT and SIGTERM set, so that everything is left in order.

    SIGHUP, which would end the process in disorder, is answered with one line where nobody else
    answers it.
    """
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    if signal.getsignal(signal.SIGHUP) is signal.SIG_DFL:  # nohup ignores it
        signal.signal(signal.SIGHUP, lambda *_: complain("SIGHUP: there is nothing to reload"))
    return stop


def unwind_on_sigterm() -> None:
    """SIGTERM ends this process as Ctrl-C does, so that what it started ends with it."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)


def parse_size(text: str) -> tuple[int, int]:
    """``480x352`` → ``(480, 352)``, for argparse."""
    from roadmask.system.forms import SIZE
    from roadmask.system.ranges import unusable

    try:
        width, height = SIZE.parts(text)
    except ValueError:
        raise unusable(text, SIZE.words) from None
    return int(width), int(height)
