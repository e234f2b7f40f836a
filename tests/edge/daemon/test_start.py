"""The stream outlives what is behind it: a late camera, a crashed or hung network."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from delegate_parts import compiled_delegate, damaged_engines
from stream_parts import PATIENCE_S, connect, header_of, wait_for, welcome_of

from roadmask.errors import ProtocolError
from roadmask.stream.modes import Mode, Reason
from roadmask.stream.protocol import FrameHeader

TOWN = "synthetic:town?seed=1&width=320&height=240&prerender=4"


@contextmanager
def daemon(path: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "roadmask", "run", "--socket", str(path), *arguments]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


class Reader:
    """A bare client; the stream of a slow start ends before that of the masks begins."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._client: socket.socket | None = None

    def __enter__(self) -> Reader:
        return self

    def __exit__(self, *_: object) -> None:
        self._leave()

    def until(self, what: Callable[[FrameHeader], bool]) -> FrameHeader:
        return wait_for(lambda: (h := self._next()) and what(h) and h, "such a header")

    def _next(self) -> FrameHeader | None:
        try:
            if self._client is None:
                self._client = connect(self._path)
                welcome_of(self._client)
            return header_of(self._client)
        except (OSError, ProtocolError, AssertionError):
            self._leave()
            return None

    def _leave(self) -> None:
        if self._client is not None:
            self._client.close()
        self._client = None


def lost(header: FrameHeader) -> bool:
    return header.mode is Mode.FAULT and Reason.INFERENCE_FAILED in header.reasons


def engine_of(daemon: subprocess.Popen[str]) -> int:
    """The process of the daemon's network."""
    children = Path(f"/proc/{daemon.pid}/task/{daemon.pid}/children")
    return int(wait_for(lambda: children.read_text().split(), "an engine's process")[0])


def test_a_missing_camera_is_waited_for_and_told(tmp_path: Path) -> None:
    path = tmp_path / "masks.sock"
    with daemon(path, "--source", "v4l2:/dev/video99") as process:
        with Reader(path) as client:
            header = client.until(lambda h: Reason.CAMERA_LOST in h.reasons)
        assert (header.mode, header.sequence) == (Mode.FAULT, 0)
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=PATIENCE_S)
        assert process.returncode == 0
    waiting, told = sorted(errors.splitlines(), reverse=True)
    assert "video99" in waiting and "waiting" in waiting
    assert told == "roadmask: FAULT CAMERA_LOST"
    assert not path.exists()


@pytest.mark.parametrize("ending", [signal.SIGKILL, signal.SIGSEGV, signal.SIGSTOP])
def test_a_network_that_ends_or_hangs_is_told_and_replaced_in_the_same_stream(
    tmp_path: Path, ending: signal.Signals
) -> None:
    path = tmp_path / "masks.sock"
    with daemon(path, "--source", TOWN, "--max-age-ms", "1000") as process, Reader(path) as client:
        first = client.until(lambda h: h.sequence > 0)
        os.kill(engine_of(process), ending)
        client.until(lost)
        again = client.until(lambda h: h.engine_restarts == 1 and h.mode is not Mode.FAULT)
        assert again.stream_id == first.stream_id and again.sequence > first.sequence
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=PATIENCE_S)
        assert process.returncode == 0
    assert "the network's process" in errors and "engine started anew, the 1. time" in errors


def test_a_network_slower_than_its_masks_may_be_old_is_stale_and_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was ended as hung at its own golden frames."""
    damaged_engines(tmp_path, monkeypatch, "time.sleep(0.3)").touch()
    path = tmp_path / "masks.sock"
    with daemon(path, "--source", TOWN, "--max-age-ms", "250") as process, Reader(path) as client:
        header = client.until(lambda h: h.sequence > 3)
        assert header.engine_restarts == 0 and header.mode is not Mode.OK
        assert client.until(lambda h: h.mode is Mode.STALE).engine_restarts == 0
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=PATIENCE_S)
        assert process.returncode == 0


def test_a_delegate_that_hangs_again_and_again_is_left_for_the_processor(tmp_path: Path) -> None:
    path = tmp_path / "masks.sock"
    options = ["--delegate", compiled_delegate(tmp_path), "--max-age-ms", "1000"]
    options += ["--no-verify"]  # it would be given up at once, for it computes nothing
    for option in ("lives=2", "hang=1"):
        options += ["--delegate-option", option]
    with daemon(path, "--source", TOWN, *options) as process, Reader(path) as client:
        header = client.until(lambda h: Reason.CPU_FALLBACK in h.reasons)
        assert header.engine_restarts == 2
        assert header.mode in (Mode.DEGRADED, Mode.STALE)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=PATIENCE_S)
        assert process.returncode == 0


def test_the_daemon_ends_while_its_network_hangs(tmp_path: Path) -> None:
    path = tmp_path / "masks.sock"
    with daemon(path, "--source", TOWN, "--max-age-ms", "60000") as process:
        with Reader(path) as client:
            client.until(lambda h: h.sequence > 0)
        engine = engine_of(process)
        os.kill(engine, signal.SIGSTOP)
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=PATIENCE_S)
        assert process.returncode == 0
    assert "the network's process" not in errors  # no fault of its own
    assert not Path(f"/proc/{engine}").exists()
