"""The C++ programs that tests drive: built once, then asked line by line."""

from __future__ import annotations

import contextlib
import fcntl
import functools
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("ROADMASK_CPP_BUILD", REPOSITORY / "build" / "cpp-tests"))
_PLACES = {"subscribe": "edge/cpp/examples", "subscribe_c": "edge/cpp/examples"}


def tool(name: str) -> str:
    """The program of that name, this interpreter's environment first."""
    beside = Path(sys.executable).with_name(name)
    found = str(beside) if beside.exists() else shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


@functools.cache
def built() -> Path:
    """The build folder, its programs up to date; tests that run beside each other build once."""
    BUILD.mkdir(parents=True, exist_ok=True)
    with (BUILD / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        _build()
    return BUILD


def _build() -> None:
    cmake = tool("cmake")
    generator = ["-G", "Ninja", f"-DCMAKE_MAKE_PROGRAM={tool('ninja')}"]
    options = ["-DROADMASK_PYTHON=OFF", "-DROADMASK_TESTS=ON"]
    programs = "codec probe calls products sets history subscribe subscribe_c"
    targets = ["--target", *programs.split()]
    for command in (
        [cmake, "-S", str(REPOSITORY), "-B", str(BUILD), *generator, *options],
        [cmake, "--build", str(BUILD), *targets],
    ):
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr


def program(name: str) -> str:
    """Path of the built program."""
    return str(built() / _PLACES.get(name, "tests") / name)


class Driven:
    """A program that answers each line of its input with one line."""

    def __init__(self, *command: str) -> None:
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )

    def ask(self, question: str) -> str:
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(question + "\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().rstrip("\n")

    def close(self) -> None:
        assert self.process.stdin is not None and self.process.stdout is not None
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        try:
            self.process.wait(2)  # at the end of its input, so that it counts its lines
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()


@contextmanager
def driven(name: str, *arguments: object) -> Iterator[Driven]:
    """The built program, running."""
    running = Driven(program(name), *map(str, arguments))
    try:
        yield running
    finally:
        running.close()
