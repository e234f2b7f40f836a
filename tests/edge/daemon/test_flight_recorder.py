"""The flight recorder takes the memory that it was made with, however much there is to write."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path
from typing import Any, cast

import pytest
from mcap.reader import make_reader
from message_parts import FRAME

from roadmask.daemon import flight
from roadmask.daemon.config import SceneLimits
from roadmask.daemon.flight import FlightRecorder
from roadmask.daemon.journal import ModeChange
from roadmask.daemon.scene import SceneCheck
from roadmask.stream.modes import Mode, Reason
from roadmask.stream.protocol import encode
from roadmask.system.clock import now_ns

MIB = 1 << 20


def frames(first: int, count: int, at_ns: int) -> list[bytes]:
    header = FRAME._replace(publish_ns=at_ns)
    return [encode(header._replace(sequence=first + k)) for k in range(count)]


def recorder_in(folder: Path) -> FlightRecorder:
    scene = SceneCheck(SceneLimits(), live=True)  # has not looked: no network is asked
    return FlightRecorder(folder, 64 * MIB, scene, cast(Any, None))


def sequences(folder: Path) -> tuple[list[int], list[str]]:
    (file,) = folder.iterdir()
    found, modes = [], []
    with file.open("rb") as stream:
        for _, channel, message in make_reader(stream).iter_messages(log_time_order=False):
            content = json.loads(message.data)
            if channel.topic == "/modes":
                modes.append(content["mode"])
            else:
                found.append(content["sequence"])
    return found, modes


def test_to_write_takes_no_memory_for_all_that_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It grew by some MiB with each file: all headers were put in words at once."""
    monkeypatch.setattr(flight, "_HEADERS", 4000)
    recorder = recorder_in(tmp_path)
    for number in range(5):
        recorder.read(frames(1000 * number, 1000, now_ns()), [])
    tracemalloc.start()
    recorder.read([], [ModeChange(now_ns() - 10**10, Mode.FAULT, Reason.INFERENCE_FAILED)])
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 4 * MIB, f"{peak / MIB:.1f} MiB"
    found, modes = sequences(tmp_path)
    assert found == list(range(1000, 5000)), "the newest, as many as fit"
    assert modes == ["FAULT INFERENCE_FAILED"], "more than 5 s ago: it is written at once"


def test_only_the_last_minute_is_written_in_its_order(tmp_path: Path) -> None:
    recorder, now = recorder_in(tmp_path), now_ns()
    recorder.read(frames(1, 3, now - 90 * 10**9), [])
    change = ModeChange(now - 10**9, Mode.STALE, Reason.NO_NEW_FRAME)
    recorder.read(frames(4, 3, now - 20 * 10**9), [change])
    recorder.read(frames(7, 3, now), [])
    recorder.write()
    (file,) = tmp_path.iterdir()
    with file.open("rb") as stream:
        reader = make_reader(stream)
        topics = [c.topic for _, c, _ in reader.iter_messages(log_time_order=False)]
    assert topics == ["/headers"] * 3 + ["/modes"] + ["/headers"] * 3
    assert sequences(tmp_path)[0] == [4, 5, 6, 7, 8, 9]
