"""``roadmask run`` as a process: what it says, whom it started, what it is told."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from stream_parts import wait_for

_MODE = re.compile(r"roadmask: (OK|DEGRADED|STALE|FAULT)\b")


class Running:
    """A daemon's process; ``lines`` is its standard error so far."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process, self.lines = process, list[str]()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def said(self, text: str, times: int = 1) -> None:
        """Wait until it said that."""
        wait_for(lambda: sum(text in line for line in self.lines) >= times, repr(text))

    def engines(self) -> list[int]:
        """Its networks' processes, the newest last."""
        pid = self.process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        every = [*children, *_of_other_threads(pid)]
        return sorted(int(c) for c in set(every) if "engine_worker" in _command(c))

    def signal(self, number: int) -> None:
        """Send it a signal."""
        os.kill(self.process.pid, number)

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.lines.append(line.rstrip())


def but_modes(errors: str) -> list[str]:
    """Its lines, but for the stream's modes: on a busy machine a load or an answer comes late."""
    return [line for line in errors.splitlines() if not _MODE.match(line)]


def _of_other_threads(pid: int) -> list[str]:
    found = []
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError):  # a thread that has ended meanwhile
            found += path.read_text().split()
    return found


def _command(pid: str) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return ""


@contextmanager
def running(path: Path, *arguments: str) -> Iterator[Running]:
    """A daemon at the socket ``path`` until the block ends."""
    command = [sys.executable, "-m", "roadmask", "run", "--socket", str(path), *arguments]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        daemon = Running(process)
        try:
            yield daemon
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
            print("\n".join(daemon.lines))
