"""Where a package is made: a folder that is gone afterwards, with all that was started in it.

A build that was told to end left its folder of temporary files, and its compilers at work.
"""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from roadmask.errors import RoadmaskError
from roadmask.system.command_line import run_command, unwind_on_sigterm


class MakingError(RoadmaskError):
    """A program that something is made with failed; the message says which."""


def make(body: Callable[[], int]) -> int:
    """Run what makes a package; interrupted or failed, it ends with one line, and 130 or 2."""

    def told() -> int:
        try:
            return body()
        except subprocess.CalledProcessError as error:
            failed = " ".join(map(str, error.cmd[:4]))
            said = (error.stderr or "").strip()[-300:] or "see above"
            raise MakingError(f"{failed} ... ended with {error.returncode}: {said}") from error

    return run_command(told, verbose=False)


@contextmanager
def workplace(prefix: str) -> Iterator[Path]:
    """An empty folder, for the temporary files of ``run`` too."""
    unwind_on_sigterm()
    with tempfile.TemporaryDirectory(prefix=prefix) as folder:
        yield Path(folder)


def run(command: Sequence[str], folder: Path, environment: Mapping[str, str] = os.environ) -> None:
    """Run it to its end; where this process is told to end meanwhile, so does all it started.

    Raises:
        CalledProcessError: it failed.
    """
    temporary = folder / "tmp"
    temporary.mkdir(exist_ok=True)
    process = None
    try:
        with _told_later():
            process = subprocess.Popen(
                command, env={**environment, "TMPDIR": str(temporary)}, start_new_session=True
            )
        code = process.wait()
    except BaseException:
        if process is not None:
            _end_session(process.pid)
            process.wait()
        raise
    if code:
        raise subprocess.CalledProcessError(code, list(command))


@contextmanager
def _told_later() -> Iterator[None]:
    """SIGINT and SIGTERM that come inside are acted on behind it.

    In the middle of ``Popen`` they would leave a program that runs and that nobody knows. They are
    not blocked, which the program would inherit.
    """
    if threading.current_thread() is not threading.main_thread():  # it is told nothing
        yield
        return
    came: list[int] = []
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = {n: signal.signal(n, lambda number, _: came.append(number)) for n in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        for told in came[:1]:
            signal.raise_signal(told)


def _end_session(leader: int) -> None:
    # Not by its group: ninja gives each compiler one of its own.
    while members := _session(leader):
        for pid in members:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.01)


def _session(leader: int) -> list[int]:
    """Its processes, without those that ended already."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            state, _, _, session = path.read_bytes().rpartition(b")")[2].split()[:4]
            if int(session) == leader and state not in (b"Z", b"X"):
                found.append(int(path.parent.name))
    return found
