"""``roadmask run`` as a process: what it says, whom it started, what it is told."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from stream_parts import wait_for


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


def _of_other_threads(pid: int) -> list[str]:
    lists = Path(f"/proc/{pid}/task").glob("*/children")
    return [child for path in lists for child in path.read_text().split()]


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
