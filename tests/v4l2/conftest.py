"""Fixtures of the tests in the guest: the emulated webcam, and the daemon on it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest

WAIT_S = 600.0  # an emulated machine on a busy one; what is measured is printed
CARD = "Test webcam"
FPS = 8
T = TypeVar("T")


def wait_for(what: str, look: Callable[[], T | None]) -> T:
    """The first answer that is not None or False."""
    deadline = time.monotonic() + WAIT_S
    while time.monotonic() < deadline:
        answer = look()
        if answer is not None and answer is not False:
            return answer
        time.sleep(0.02)
    raise AssertionError(f"{what}: not within {WAIT_S:.0f} s")


def now_s() -> float:
    """CLOCK_BOOTTIME, which the stream's times are of."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def nodes(card: str) -> list[str]:
    """The device names of the cameras that have this in their name."""
    found = []
    for entry in sorted(Path("/sys/class/video4linux").iterdir()):
        try:
            names = (entry / "name").read_text(), (entry / "index").read_text().strip()
        except OSError:  # it goes just now
            continue
        if card in names[0] and names[1] == "0" and Path("/dev", entry.name).exists():
            found.append(f"/dev/{entry.name}")
    return found


class Webcam:
    """The process that plays the webcam."""

    def __init__(self, folder: str) -> None:
        script = Path(__file__).with_name("webcam.py")
        self._process = subprocess.Popen(
            [sys.executable, "-S", str(script), folder, str(FPS)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def tell(self, command: str) -> float:
        """Give a command, and return the time (CLOCK_BOOTTIME, s) at which it is obeyed."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(command + "\n")
        self._process.stdin.flush()
        assert self._process.stdout.readline().strip() == command
        return now_s()

    def plug(self) -> str:
        """Plug it in, and return its device name."""
        self.tell("plug")
        return wait_for("device node", lambda: nodes(CARD) or None)[-1]

    def unplug(self) -> None:
        """Pull it out; a name that somebody holds open stays taken."""
        self.tell("unplug")
        wait_for("device node gone", lambda: not nodes(CARD))

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.wait()


class Driver:
    """That of a webcam which is plugged in, a module of the guest's kernel.

    Attributes:
        device: the name that the webcam has under it.
    """

    def __init__(self, webcam: Webcam) -> None:
        self.device = webcam.plug()
        self._file = Path(os.environ["ROADMASK_WEBCAM_DRIVER"])
        self._loaded = True

    def load(self) -> None:
        """Put it into the kernel, which finds the webcam at once."""
        if not self._loaded:
            subprocess.run(["busybox", "insmod", self._file], check=True)
            self._loaded = True

    def unload(self) -> None:
        """Take it out of the kernel; nobody may hold its device."""
        subprocess.run(["busybox", "rmmod", self._file.name.split(".")[0]], check=True)
        self._loaded = False
        wait_for("device node gone", lambda: not nodes(CARD))


@pytest.fixture(scope="session")
def frames() -> Path:
    """The folder with the frames that the webcam streams."""
    return Path(os.environ["ROADMASK_WEBCAM_FRAMES"])


@pytest.fixture(scope="session")
def _webcam(frames: Path) -> Iterator[Webcam]:
    camera = Webcam(str(frames))
    yield camera
    camera.close()


@pytest.fixture
def webcam(_webcam: Webcam) -> Iterator[Webcam]:
    """Streaming what it should, and plugged in; pulled out afterwards."""
    _webcam.tell("ok")
    yield _webcam
    _webcam.tell("unplug")
    wait_for("device node gone", lambda: not nodes(CARD))
