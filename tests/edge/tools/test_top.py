"""``roadmask top`` on a real stream; in a real terminal where it has one."""

from __future__ import annotations

import json
import os
import pty
import select
import subprocess
import sys
import termios
from collections.abc import Iterator
from pathlib import Path

import pytest
from stream_parts import let_silence_be

from roadmask.stream.modes import Mode, Reason
from roadmask.stream.protocol import Identity, Stages
from roadmask.stream.publish.publisher import FrameInfo, Publisher, StreamIdentity
from roadmask.stream.subscribe.policy import TAKE_EVERYTHING
from roadmask.stream.subscribe.subscriber import Subscriber
from roadmask.system.clock import now_ns
from roadmask.tools.top_view import StreamView, render

TOP = [sys.executable, "-m", "roadmask", "top"]


@pytest.fixture
def publisher(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Publisher]:
    let_silence_be(monkeypatch)
    identity = StreamIdentity(Identity("roadnet", bytes(range(32))), camera=Identity("front"))
    path = tmp_path / "m.sock"
    with Publisher(path, mask_size=(64, 48), max_age_ms=60_000, identity=identity) as publisher:
        yield publisher


def publish(publisher: Publisher, frame_id: int, **changes: object) -> None:
    publisher.begin().mask[:] = 1
    info = FrameInfo(
        capture_ns=now_ns() - 20_000_000,
        camera_size=(1280, 720),
        frame_id=frame_id,
        infer_us=5000,
        stages=Stages(8000, 300, 50, 400),
        counts=(0, 3, 1, 0, 0, 0, 0, 0),
    )
    publisher.publish(info._replace(**changes))  # type: ignore[arg-type]


def test_a_view_of_a_stream(publisher: Publisher) -> None:
    view = StreamView(str(publisher.socket_path))
    with Subscriber(publisher.socket_path, max_age_ms=60_000, **TAKE_EVERYTHING) as subscriber:
        while not publisher.clients:
            publisher.heartbeat()
            subscriber.latest()
        for index in range(3):
            publish(publisher, 10 * index, mode=Mode.DEGRADED, reasons=Reason.DARK, skipped=9)
            mask = subscriber.receive(timeout_s=10)
            assert mask is not None
            view.add(mask)
        shot = view.snapshot(subscriber)
    assert (shot["model"], shot["camera"], shot["camera_size"]) == ("roadnet", "front", [1280, 720])
    assert (shot["mode"], shot["reasons"], shot["modes"]) == ("DEGRADED", ["DARK"], {"DEGRADED": 3})
    assert (shot["frames"], shot["dropped"], shot["skipped"]) == (3, 0, 27)
    assert shot["stages_ms"]["network"]["p50"] == 5.0
    assert [shot["stages_ms"][name]["p50"] for name in Stages._fields] == [8.0, 0.3, 0.05, 0.4]
    total = shot["stages_ms"]["frame_to_mask"]["p50"]
    assert total >= 20 and shot["age_ms"]["p50"] >= total
    assert shot["camera_fps"] == pytest.approx(10 * shot["fps"], rel=0.01)
    assert shot["shares"]["flat"] == pytest.approx(0.75, abs=0.001)
    assert shot["subscribers"] == 1
    text = "\n".join(render(shot))
    assert "DEGRADED  DARK" in text and "roadnet" in text and "\x1b" not in text


def test_once(publisher: Publisher, tmp_path: Path) -> None:
    path = tmp_path / "top.json"
    command = [*TOP, "--once", "--json", str(path), "--socket", str(publisher.socket_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        index = 0
        while process.poll() is None:
            index += 1
            publish(publisher, index)
            select.select([], [], [], 0.01)
        assert process.stdout is not None
        text = process.stdout.read()
    assert process.returncode == 0
    assert text.splitlines()[1].startswith("OK")
    assert json.loads(path.read_text())["frames"] > 1


def test_once_without_a_stream_says_what_to_do(tmp_path: Path) -> None:
    socket = str(tmp_path / "no.sock")
    done = subprocess.run(
        [*TOP, "--once", "--wait", "0.1", "--socket", socket], capture_output=True, text=True
    )
    assert done.returncode == 2
    assert f"no stream at {socket} after 0.1 s" in done.stderr and "roadmask run" in done.stderr


@pytest.mark.parametrize("how", ["q", "interrupt"])
def test_a_terminal_is_left_as_it_was(publisher: Publisher, how: str) -> None:
    ours, theirs = pty.openpty()
    before = termios.tcgetattr(theirs)
    command = [*TOP, "--socket", str(publisher.socket_path)]
    process = subprocess.Popen(command, stdin=theirs, stdout=theirs, start_new_session=True)
    shown = bytearray()
    deadline = now_ns() + 60_000_000_000
    asked = False
    while process.poll() is None or select.select([ours], [], [], 0)[0]:
        assert now_ns() < deadline, shown
        publish(publisher, 1)
        if select.select([ours], [], [], 0.01)[0]:
            shown += os.read(ours, 65536)
        if not asked and b"roadnet" in shown:
            asked = True
            os.write(ours, b"q") if how == "q" else process.terminate()
    assert process.returncode == 0
    assert shown.startswith(b"\x1b[?1049h") and shown.endswith(b"\x1b[?1049l")
    assert termios.tcgetattr(theirs) == before
    os.close(ours)
    os.close(theirs)
