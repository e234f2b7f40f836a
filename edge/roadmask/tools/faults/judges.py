"""Two readers as S4's are, Python's and C++'s: they count masks that they should not have taken."""

from __future__ import annotations

import re
import subprocess
import threading
from pathlib import Path

from roadmask.stream.modes import Mode
from roadmask.stream.subscribe.subscriber import Subscriber
from roadmask.system.clock import now_ns

# Between that a mask was taken and that its age is read here, the thread may have waited.
_SLACK_MS = 200
_LINE = re.compile(r"mask \d+ (?P<mode>\w+).* age (?P<age>[-\d.]+) ms")
_WORST = {Mode.STALE.name, Mode.FAULT.name}


class PythonJudge:
    """``Subscriber`` with its own defaults but the age; a context manager.

    Attributes:
        taken, too_old: masks that it took, and those that it should not have.
    """

    def __init__(self, socket: Path, max_age_ms: int) -> None:
        self._socket, self._max_age_ms = str(socket), max_age_ms
        self.taken = self.too_old = 0
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._take, daemon=True)

    def __enter__(self) -> PythonJudge:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()

    def _take(self) -> None:
        with Subscriber(self._socket, max_age_ms=self._max_age_ms) as s4:
            while not self._end.is_set():
                mask = s4.receive(timeout_s=0.05)
                if mask is None:
                    continue
                age_ms = (now_ns() - mask.capture_timestamp_ns) / 1e6
                self.taken += 1
                self.too_old += age_ms > self._max_age_ms + _SLACK_MS or mask.mode >= Mode.STALE


class CppJudge:
    """The example ``subscribe`` of the C++ library, which says a line for each mask; as above.

    Args:
        program: its path.
        socket: of the stream.
        max_age_ms: that it allows.
    """

    def __init__(self, program: str, socket: Path, max_age_ms: int) -> None:
        self._command = [program, str(socket), "--max-age-ms", str(max_age_ms)]
        self._max_age_ms = max_age_ms
        self.taken = self.too_old = 0

    def __enter__(self) -> CppJudge:
        self._process = subprocess.Popen(self._command, stdout=subprocess.PIPE, text=True)
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._thread.join()
        self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            found = _LINE.match(line)
            if found is not None:
                self.taken += 1
                old = float(found["age"]) > self._max_age_ms + _SLACK_MS
                self.too_old += old or found["mode"] in _WORST
