"""The daemon that faults are injected into, and what its stream says of them."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from roadmask.stream.modes import Mode, Reason, names
from roadmask.stream.subscribe.policy import TAKE_EVERYTHING
from roadmask.stream.subscribe.subscriber import Subscriber
from roadmask.system.clock import now_ns
from roadmask.tools.faults.camera import Camera

_MAX_AGE_MS = 1000  # of masks; machines that run tests beside are slow
_FOREVER_S, _AFTERMATH_S = 60.0, 3.0


class NotSeenError(Exception):
    """What was expected did not come; the text says what came."""


class Patient:
    """A daemon's process at a socket, with two readers; a context manager.

    One reader takes everything and says what the stream says. The other is as S4's is, and counts
    masks that are older than allowed.

    Args:
        folder: an empty one, for the socket and whatever a fault needs.
        camera: what it looks at, unless ``arguments`` say otherwise.
        arguments: of ``roadmask run``.
        before: a command line that runs the daemon's.

    Attributes:
        taken, too_old: masks that S4's reader took, and those that it should not have.
        kept: closed at the end.
    """

    def __init__(
        self,
        folder: Path,
        camera: Camera,
        arguments: tuple[str, ...] = (),
        before: tuple[str, ...] = (),
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
        self.too_old = self.taken = 0
        self.kept: list[socket.socket] = []
        self._end = threading.Event()
        self._judge = threading.Thread(target=self._take_masks, daemon=True)
        self.stream = Subscriber(str(self.socket), max_age_ms=60_000, **TAKE_EVERYTHING)

    def __enter__(self) -> Patient:
        self._judge.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._judge.join()
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
        return max(found)

    def engines(self) -> list[int]:
        """The processes of its networks."""
        return [pid for pid in _children(self.process.pid) if "engine_worker" in _command(pid)]

    def signal(self, number: int) -> None:
        """Send the daemon a signal."""
        os.kill(self.process.pid, number)

    def _take_masks(self) -> None:
        with Subscriber(str(self.socket), max_age_ms=_MAX_AGE_MS) as s4:
            while not self._end.is_set():
                mask = s4.receive(timeout_s=0.05)
                if mask is None:
                    continue
                self.taken += 1
                # As it was handed out; this thread may have waited since.
                received_ns = now_ns()
                age_ms = (received_ns - mask.capture_timestamp_ns) / 1e6
                if age_ms > _MAX_AGE_MS + 200 or mask.mode >= Mode.STALE:
                    self.too_old += 1


def _children(pid: int) -> list[int]:
    lists = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for path in lists for child in path.read_text().split()]


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return ""
