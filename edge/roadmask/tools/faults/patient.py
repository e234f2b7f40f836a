"""The daemon that faults are injected into, and what its stream says of them."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from roadmask.stream.modes import Mode, Reason, names
from roadmask.stream.subscribe.policy import TAKE_EVERYTHING
from roadmask.stream.subscribe.subscriber import Subscriber
from roadmask.tools.faults.camera import Camera
from roadmask.tools.faults.holdings import holdings, more_than
from roadmask.tools.faults.judges import CppJudge, PythonJudge
from roadmask.tools.faults.processes import engines

_MAX_AGE_MS = 1000  # of masks; machines that run tests beside are slow
_FOREVER_S, _AFTERMATH_S = 60.0, 3.0
_JUDGES_S = 5.0
_LET_GO_S = 15.0  # of what a fault took: a network's probation is a hundred frames


class NotSeenError(Exception):
    """What was expected did not come; the text says what came."""


class Patient:
    """A daemon's process at a socket, with its readers; a context manager.

    One reader takes everything and says what the stream says. The others are as S4's are, and count
    masks that are older than allowed.

    Args:
        folder: an empty one, for the socket and whatever a fault needs.
        camera: what it looks at, unless ``arguments`` say otherwise.
        arguments: of ``roadmask run``.
        before: a command line that runs the daemon's.
        subscribe: the C++ library's example, to judge too; "" for Python's reader alone.

    Attributes:
        judges: S4's readers.
        kept: closed at the end.
    """

    def __init__(
        self,
        folder: Path,
        camera: Camera,
        arguments: tuple[str, ...] = (),
        before: tuple[str, ...] = (),
        subscribe: str = "",
    ) -> None:
        self.folder, self.camera = folder, camera
        self.socket = folder / "masks.sock"
        self.arguments = arguments
        self._log = folder / "log"
        command = [*before, sys.executable, "-m", "roadmask", "run", "--socket", str(self.socket)]
        if "--source" not in arguments:
            command += ["--source", camera.url, "--live", "--latency-ms", "100"]
        if "--max-age-ms" not in arguments:
            command += ["--max-age-ms", str(_MAX_AGE_MS)]
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [*command, *arguments], stderr=log, stdin=subprocess.DEVNULL
            )
        self.judges: list[PythonJudge | CppJudge] = [PythonJudge(self.socket, _MAX_AGE_MS)]
        if subscribe:
            self.judges.append(CppJudge(subscribe, self.socket, _MAX_AGE_MS))
        self.kept: list[socket.socket] = []
        self.stream = Subscriber(str(self.socket), max_age_ms=60_000, **TAKE_EVERYTHING)

    def __enter__(self) -> Patient:
        for judge in self.judges:
            judge.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        for judge in self.judges:
            judge.__exit__()
        self.stream.close()
        for peer in self.kept:
            peer.close()
        for number in (signal.SIGCONT, signal.SIGTERM):
            if self.process.poll() is None:
                self.process.send_signal(number)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    @property
    def said(self) -> str:
        """Its log."""
        return self._log.read_text(errors="replace")

    def until(self, what: str, holds: Callable[[], object], limit_s: float = _FOREVER_S) -> float:
        """Seconds until it held.

        Raises:
            NotSeenError: it did not within the limit.
        """
        begin_s, ended_s = time.monotonic(), 0.0
        while not holds():
            if self.process.poll() is not None:  # it will not mend
                ended_s = ended_s or time.monotonic()
                limit_s = min(limit_s, ended_s - begin_s + _AFTERMATH_S)
            if time.monotonic() - begin_s > limit_s:
                raise NotSeenError(f"{what} did not come within {limit_s:g} s; {self.state()}")
            time.sleep(0.002)
        return time.monotonic() - begin_s

    def await_judges(self) -> None:
        """Until each has a mask, or will have none: a reader that comes later is no leak."""
        with suppress(NotSeenError):
            self.until("a mask of each", lambda: all(j.taken for j in self.judges), _JUDGES_S)

    def shows(self, mode: Mode | None, reasons: Reason) -> bool:
        """The stream says this mode, these reasons among others."""
        self.stream.receive(timeout_s=0.0, copy=False)
        status = self.stream.status
        return (
            status is not None
            and (mode is None or status.mode is mode)
            and reasons in status.reasons
        )

    def well(self) -> bool:
        """A mask that can be used has come, and nothing is wrong but what a network camera is."""
        mask = self.stream.receive(timeout_s=0.0, copy=False)
        allowed = Reason.ESTIMATED_TIME | Reason.LOW_RATE | Reason.UNVERIFIED
        allowed |= Reason.CPU_FALLBACK | Reason.LOW_CONFIDENCE | Reason.DRIFT | Reason.FLICKER
        return mask is not None and mask.mode <= Mode.DEGRADED and not mask.reasons & ~allowed

    def state(self) -> str:
        """What the stream says now, or the log's last line."""
        status = self.stream.status
        if self.process.poll() is not None:
            return f"the daemon ended ({self.process.returncode}): {self.said[-200:].strip()}"
        return f"{status.mode.name} {names(status.reasons)}" if status else self.stream.reason_text

    def engine(self) -> int:
        """The process of its network, the newest."""
        found = self.engines()
        if not found:
            raise NotSeenError("the daemon has no network's process")
        return found[-1]

    def engines(self) -> list[int]:
        """The processes of its networks, the oldest first."""
        return engines(self.process.pid)

    def signal(self, number: int) -> None:
        """Send the daemon a signal."""
        os.kill(self.process.pid, number)

    def holds(self) -> Counter[str]:
        """What it has open, and runs."""
        return holdings(self.process.pid)

    def left_behind(self, before: Counter[str]) -> str:
        """What it holds more than ``before``, once it had the time to let go; empty for nothing."""
        end_s = time.monotonic() + _LET_GO_S
        while more := more_than(before, self.holds()):
            if time.monotonic() > end_s:
                break
            time.sleep(0.1)
        return more
