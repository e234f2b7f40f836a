"""Parts that the tests of the mask stream share: waiting, publisher processes, bare sockets."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from clock_parts import ShiftedClock

from roadmask.stream.protocol import FrameHeader, Welcome, decode
from roadmask.stream.publish.publisher import FrameInfo, Publisher
from roadmask.system.clock import now_ns

PATIENCE_S = 60.0  # for a loaded machine: a test that passes never waits so long


def wait_for(condition: Callable[[], Any], what: str) -> Any:
    """The condition's first true value."""
    deadline = time.monotonic() + PATIENCE_S
    while not (value := condition()):
        assert time.monotonic() < deadline, f"never happened: {what}"
        time.sleep(0.002)
    return value


def let_silence_be(monkeypatch: pytest.MonkeyPatch) -> None:
    """A minute without a message is borne by the Python side: a loaded machine is no silence."""
    monkeypatch.setattr("roadmask.stream.subscribe.transport.SILENCE_NS", 60_000_000_000)
    monkeypatch.setattr("roadmask.stream.publish.messages.SILENCE_MS", 60_000)


def let_others_in(folder: Path) -> None:
    """Every user may pass the folders that pytest made, however many lie above this one."""
    for each in (folder, *folder.parents):
        if not each.stat().st_mode & 0o001:
            each.chmod(0o755)


def frame_info(**changes: Any) -> FrameInfo:
    """A live frame captured now."""
    return FrameInfo(**{"capture_ns": now_ns(), "camera_size": (1280, 720), **changes})


def publish(publisher: Publisher, value: int = 1, **changes: Any) -> int:
    """One frame whose planes are all ``value``."""
    slot = publisher.begin()
    for plane in (slot.mask, slot.confidence, slot.preview):
        if plane is not None:
            plane[:] = value
    return publisher.publish(frame_info(**changes))


@contextmanager
def process(
    script: str, *arguments: object, clock: ShiftedClock | None = None
) -> Iterator[subprocess.Popen[str]]:
    """A Python process running ``script``; killed at the end, stopped or not."""
    path = {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    running = subprocess.Popen(
        [sys.executable, "-c", script, *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, **path, **(clock.environment if clock else {})},
    )
    try:
        yield running
    finally:
        running.kill()
        running.wait()
        for pipe in (running.stdin, running.stdout):
            if pipe:
                pipe.close()


# Publishes at argv[2] Hz until it is killed; frame n is filled with n % 7.
PUBLISHER = """
import sys, time
from roadmask.system.clock import now_ns
from roadmask.stream.modes import Flag
from roadmask.stream.protocol import FrameHeader, Welcome, decode
from roadmask.stream.publish.publisher import FrameInfo, Publisher
path, rate = sys.argv[1], float(sys.argv[2])
with Publisher(path, mask_size=(64, 32), frame_period_ns=int(1e9 / rate)) as publisher:
    while True:
        slot = publisher.begin()
        slot.mask[:] = (publisher.sequence + 1) % 7
        publisher.publish(FrameInfo(now_ns(), (1280, 720), frame_id=publisher.sequence + 1))
        print(publisher.sequence, flush=True)
        time.sleep(1 / rate)
"""


@contextmanager
def publisher_process(path: Path, rate_hz: float = 60) -> Iterator[subprocess.Popen[str]]:
    """A publisher in a process of its own; it has published once when this returns."""
    with process(PUBLISHER, path, rate_hz) as running:
        assert running.stdout is not None
        assert running.stdout.readline().strip() == "1"
        drain(running)
        yield running


def drain(running: subprocess.Popen[str]) -> None:
    """Read the process's output in the background, so that its pipe never fills."""
    import threading

    assert running.stdout is not None
    threading.Thread(target=_read_all, args=(running.stdout,), daemon=True).start()


def _read_all(stream: Any) -> None:
    try:
        for _ in stream:
            pass
    except ValueError:  # closed by the test
        pass


def stop(running: subprocess.Popen[str]) -> None:
    """SIGSTOP, and wait until it is stopped."""
    running.send_signal(signal.SIGSTOP)
    status = Path(f"/proc/{running.pid}/stat")
    wait_for(lambda: status.read_text().rsplit(")", 1)[1].split()[0] == "T", "process stopped")


def connect(path: Path) -> socket.socket:
    client = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    client.settimeout(30)
    try:
        client.connect(str(path))
    except OSError:
        client.close()
        raise
    return client


def welcome_of(client: socket.socket) -> Welcome:
    data, fds, _, _ = socket.recv_fds(client, 4096, 4)
    for fd in fds:
        os.close(fd)
    message = decode(data)
    assert isinstance(message, Welcome) and len(fds) == 1
    return message


def header_of(client: socket.socket) -> FrameHeader:
    message = decode(client.recv(4096))
    assert isinstance(message, FrameHeader)
    return message
