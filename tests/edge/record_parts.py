"""Parts that the tests of record and replay share: a publisher that does as told, a recording."""

from __future__ import annotations

import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from stream_parts import PATIENCE_S, process

from roadmask.cli.main import main
from roadmask.recording.reader import Record, Recording
from roadmask.recording.recorder import record
from roadmask.stream.protocol import FrameHeader

# Each line of its input is a step: "subscriber" waits for one, "frame" publishes town mask n as
# frame n, "gap" the same with two numbers left out before it, "stamp" the same without a capture
# time, "fault" says that the camera is lost.
PUBLISHER = """
import sys, time
import numpy as np
from roadmask.system.clock import now_ns
from roadmask.stream.publish.heartbeat import Heart
from roadmask.stream.modes import Flag, Mode, Reason
from roadmask.stream.protocol import Identity
from roadmask.stream.publish.publisher import FrameInfo, Publisher, RingForm, StreamIdentity
from roadmask.town.town import Town
labels = Identity("eight", bytes(range(32)), ((128, 64, 128), (70, 70, 70)))
identity = StreamIdentity(model=Identity("net", b"m" * 32), labels=labels)
town = Town(3, 96, 64)
form = RingForm(confidence=True, preview_size=(24, 16), slots=32, checksum=True)
with Publisher(sys.argv[1], mask_size=(96, 64), identity=identity, frame_period_ns=20_000_000,
               max_age_ms=60_000, form=form) as publisher, Heart(publisher):
    n = 0
    print("ready", flush=True)
    for step in map(str.strip, sys.stdin):
        if step == "subscriber":
            deadline = time.monotonic() + 60
            while not publisher.clients:
                assert time.monotonic() < deadline, "no subscriber"
                time.sleep(0.002)
        elif step == "fault":
            publisher.set_mode(Mode.FAULT, Reason.CAMERA_LOST)
        else:
            n += 1
            mask = town.frame(n).category_mask
            slot = publisher.begin()
            slot.mask[:], slot.confidence[:], slot.preview[:] = mask, n, 2 * n
            publisher.publish(FrameInfo(
                0 if step == "stamp" else now_ns() - 7_000_000, (1280, 720), frame_id=10 * n,
                skipped=n % 3, infer_us=n + 500, flags=Flag.SYNTHETIC | Flag.DRIVER_TIME,
                mode=Mode.DEGRADED if n % 2 else Mode.OK,
                reasons=Reason.THERMAL if n % 2 else Reason.NONE,
                scale=(13.25, 11.25), offset=(6.125, 5.125),
                counts=np.bincount(mask.ravel(), minlength=8).tolist(),
                identity=(0, 255, 255, 3, 255, 255, 255),
            ), sequence=publisher.sequence + (3 if step == "gap" else 1))
        print(step, flush=True)
"""
STEPS = ("frame", "frame", "frame", "gap", "frame", "fault", "frame", "stamp", "frame", "frame")
FRAMES = len(STEPS) - 1


@contextmanager
def source(socket: Path) -> Iterator[subprocess.Popen[str]]:
    """A publisher process that does what ``step`` tells it."""
    with process(PUBLISHER, socket) as publisher:
        assert publisher.stdout is not None
        assert publisher.stdout.readline().strip() == "ready"
        yield publisher


def step(publisher: subprocess.Popen[str], *names: str) -> None:
    assert publisher.stdin is not None and publisher.stdout is not None
    for name in names:
        publisher.stdin.write(f"{name}\n")
        publisher.stdin.flush()
        assert publisher.stdout.readline().strip() == name


@contextmanager
def in_background(work: Any, *arguments: Any, **named: Any) -> Iterator[dict[str, Any]]:
    """``work(...)`` in a thread; its result is in the dictionary when the block has ended."""
    stop, result = threading.Event(), dict[str, Any]()

    def body() -> None:
        result.update(work(*arguments, **named, stop=stop))

    thread = threading.Thread(target=body)
    thread.start()
    try:
        yield result
        if named.get("frames"):
            thread.join(PATIENCE_S)
    finally:
        stop.set()
        thread.join(PATIENCE_S)
    assert result, "it raised"


def make_recording(folder: Path) -> Path:
    """A recording of STEPS."""
    path, socket = folder / "town.mcap", folder / "s.sock"
    with (
        source(socket) as publisher,
        in_background(record, str(socket), path, frames=FRAMES) as result,
    ):
        step(publisher, "subscriber", *STEPS)
    assert result["frames"] == FRAMES
    assert result["dropped"] == 2  # the gap
    assert result["bytes"] == path.stat().st_size
    assert result["modes"] == {"OK": 4, "DEGRADED": 4, "FAULT": 1}
    return path


def read(path: Path, start_s: float = 0.0) -> list[Record]:
    with Recording(path) as recording:
        return list(recording.records(start_s))


def frames_of(records: list[Record]) -> list[FrameHeader]:
    return [r.message for r in records if r.mask is not None and isinstance(r.message, FrameHeader)]


@contextmanager
def kept_signals() -> Iterator[None]:
    """``main`` sets handlers: put the old ones back."""
    old = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in old.items():
        signal.signal(number, handler)


def refuse(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """The one line of a command that must fail with exit code 2."""
    with kept_signals():
        assert main(list(map(str, arguments))) == 2
    lines = capsys.readouterr().err.splitlines()
    assert lines[-1].startswith("roadmask: ")
    assert sum(line.startswith("roadmask:") or "Traceback" in line for line in lines) == 1
    return lines[-1]
