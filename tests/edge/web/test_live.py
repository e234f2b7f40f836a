"""The live page's socket: the newest frame, one encoding for all, and what it says without one."""

from __future__ import annotations

import json
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import httpx
import numpy as np
import pytest
from stream_parts import PATIENCE_S, wait_for
from web_parts import decoded, server
from websockets.sync.client import ClientConnection, connect

from roadmask.stream.modes import Flag, Mode, Reason
from roadmask.stream.protocol import Identity
from roadmask.stream.publish.publisher import FrameInfo, Publisher, RingForm, StreamIdentity
from roadmask.system.clock import now_ns

SIZE = (64, 32)


@contextmanager
def open_publisher(path: Path) -> Iterator[Publisher]:
    """A publisher whose heart beats beside it, as the daemon's does."""
    identity = StreamIdentity(model=Identity("a model", bytes(range(32))), camera=Identity("cam"))
    stop = threading.Event()

    def beat() -> None:
        while not stop.wait(0.02):
            publisher.heartbeat()

    with Publisher(
        path, identity=identity, mask_size=SIZE, form=RingForm(preview_size=SIZE), max_age_ms=60_000
    ) as publisher:
        heart = threading.Thread(target=beat)
        heart.start()
        try:
            yield publisher
        finally:
            stop.set()
            heart.join()


def publish(publisher: Publisher, **changes: Any) -> int:
    """A frame whose mask is the sequence modulo 8, on a grey picture."""
    slot = publisher.begin()
    slot.mask[:] = (publisher.sequence + 1) % 8
    assert slot.preview is not None
    slot.preview[:] = (200, 100, 50)
    info = FrameInfo(now_ns(), (1280, 720), flags=Flag.SYNTHETIC, counts=(0, 1, 3, 0, 0, 0, 0, 0))
    return publisher.publish(info._replace(**changes))


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """A server's WebSocket URL, and the path of the stream that it follows."""
    path = tmp_path_factory.mktemp("live") / "masks.sock"
    with server("--socket", path) as (base, _):
        yield base.replace("http", "ws") + "/live", path


def frame_of(data: bytes) -> tuple[dict[str, Any], Any, Any]:
    magic, text, mask, preview = struct.unpack_from("<4sIII", data)
    assert magic == b"RMW1" and len(data) == 16 + text + mask + preview
    about = json.loads(data[16 : 16 + text])
    picture = cv2.imdecode(np.frombuffer(data[16 + text + mask :], np.uint8), cv2.IMREAD_COLOR)
    return about, decoded(data[16 + text : 16 + text + mask]), picture


def next_frame(
    viewer: ClientConnection, publisher: Publisher, acknowledge: bool = True
) -> tuple[dict[str, Any], Any, Any]:
    """The next binary message, while frames are published."""

    def look() -> tuple[dict[str, Any], Any, Any] | None:
        publish(publisher)
        try:
            message = viewer.recv(timeout=0.05)
        except TimeoutError:
            return None
        if isinstance(message, str):
            return None
        frame = frame_of(message)
        if acknowledge:
            viewer.send(json.dumps({"ack": frame[0]["sequence"]}))
        return frame

    found: tuple[dict[str, Any], Any, Any] = wait_for(look, "a frame")
    return found


def status_where(viewer: ClientConnection, **wanted: Any) -> dict[str, Any]:
    """The next status with those values."""

    def look() -> dict[str, Any] | None:
        message = viewer.recv(timeout=PATIENCE_S)
        if isinstance(message, bytes):
            viewer.send(json.dumps({"ack": frame_of(message)[0]["sequence"]}))
            return None
        status = json.loads(message)
        return status if wanted.items() <= status.items() else None

    found: dict[str, Any] = wait_for(look, f"status {wanted}")
    return found


def test_a_viewer_gets_frames(hub: tuple[str, Path]) -> None:
    url, path = hub
    with open_publisher(path) as publisher, connect(url) as viewer:
        about, mask, picture = next_frame(viewer, publisher)
        assert mask.shape == (32, 64) and (mask == about["sequence"] % 8).all()
        assert np.abs(picture.astype(int) - (50, 100, 200)).max() < 6  # JPEG
        assert about["shares"]["construction"] == pytest.approx(0.75, abs=1e-4)
        assert about["mask_size"] == [64, 32] and not about["live"]
        assert 0 <= about["latency_ms"] <= about["age_ms"] + 0.1
        status = status_where(viewer, connected=True, has_preview=True)
        assert status["state"] == "OK" and status["source"] == ["SYNTHETIC"]
        assert status["model"] == {
            "name": "a model",
            "digest": bytes(range(32)).hex(),
            "scores": {},
        }
        assert status["camera"] == "cam" and status["camera_size"] == [1280, 720]
        assert status["subscribers"] == 1 and status["viewers"] == 1


def test_two_frames_are_under_way_at_most_and_the_newest_wins(hub: tuple[str, Path]) -> None:
    url, path = hub
    with open_publisher(path) as publisher, connect(url) as viewer:
        next_frame(viewer, publisher, acknowledge=False)
        second = next_frame(viewer, publisher, acknowledge=False)[0]["sequence"]
        # Nothing was acknowledged: for the next second and more only statuses come.
        for _ in range(3):
            publish(publisher)
            assert isinstance(viewer.recv(timeout=PATIENCE_S), str)
        last = publish(publisher)
        viewer.send(json.dumps({"ack": second}))
        assert next_frame(viewer, publisher)[0]["sequence"] >= last


def test_the_modes_reasons_come_in_plain_words(hub: tuple[str, Path]) -> None:
    url, path = hub
    with open_publisher(path) as publisher, connect(url) as viewer:
        publish(publisher, mode=Mode.DEGRADED, reasons=Reason.THERMAL | Reason.DARK)
        status = status_where(viewer, state="DEGRADED")
        assert [reason["name"] for reason in status["reasons"]] == ["THERMAL", "DARK"]
        assert "hot" in status["reasons"][0]["text"]
        publisher.set_mode(Mode.FAULT, Reason.CAMERA_LOST)
        publisher.heartbeat()
        status = status_where(viewer, state="FAULT")
        assert "FAULT" in status["why"]


def test_a_daemon_that_goes_is_said_and_found_again(hub: tuple[str, Path]) -> None:
    url, path = hub
    with connect(url) as viewer:
        assert "no publisher" in status_where(viewer, connected=False, state="NONE")["why"]
        with open_publisher(path) as publisher:
            next_frame(viewer, publisher)
        status_where(viewer, connected=False)
        with open_publisher(path) as publisher:
            next_frame(viewer, publisher)


def test_nonsense_closes_the_socket(hub: tuple[str, Path]) -> None:
    deep = "[" * 4000
    for nonsense in ("[]", "{}", "x", '{"ack": null}', '{"ack": 1e400}', deep, b"x"):
        with connect(hub[0]) as viewer:
            viewer.send(nonsense)
            wait_for(lambda: closed(viewer), "closed")
            assert viewer.close_code == 1007


def closed(viewer: ClientConnection) -> bool:
    from websockets.exceptions import ConnectionClosed

    try:
        viewer.recv(timeout=0.2)
    except TimeoutError:
        return False
    except ConnectionClosed:
        return True
    return False


def test_every_reason_has_its_words() -> None:
    from roadmask.web.live.reasons import REASON_TEXT, explain

    assert set(REASON_TEXT) == {reason for reason in Reason if reason}
    said = explain(Reason.DARK | Reason.REDUCED)
    assert [reason.name for reason in said] == ["DARK", "REDUCED"]


def test_the_servers_clock_is_told(hub: tuple[str, Path]) -> None:
    with connect(hub[0]) as viewer:
        before_ms = now_ns() / 1e6
        viewer.send(json.dumps({"clock": 7}))

        def look() -> dict[str, Any] | None:
            said = json.loads(viewer.recv(timeout=PATIENCE_S))
            return said if said["type"] == "clock" else None

        answer = wait_for(look, "the clock")
        assert answer["echo"] == 7 and before_ms <= answer["now_ms"] <= now_ns() / 1e6
        assert before_ms <= status_where(viewer)["sent_ms"] <= now_ns() / 1e6


def test_the_metrics_hold_the_stream(tmp_path: Path) -> None:
    path = tmp_path / "masks.sock"
    with server("--socket", path) as (base, _), httpx.Client(base_url=base, timeout=30) as client:
        assert "roadmask_stream_up 0.0" in client.get("/metrics").text
        with open_publisher(path) as publisher:

            def told() -> str:
                publish(publisher, mode=Mode.DEGRADED, reasons=Reason.THERMAL, infer_us=5000)
                return client.get("/metrics").text

            text = wait_for(lambda: _IN_METRICS[0] in (said := told()) and said, "the gauges")
            for line in _IN_METRICS:
                assert line in text
            assert "roadmask_stream_age_seconds" in text and "_stream_latency_seconds" in text
            assert "roadmask_live_frames 0.0" in text, "nothing is encoded for it"


_IN_METRICS = (
    'roadmask_stream_mode{mode="DEGRADED"} 1.0',
    'roadmask_stream_mode{mode="OK"} 0.0',
    'roadmask_stream_reason{reason="THERMAL"} 1.0',
    "roadmask_stream_up 1.0",
    "roadmask_stream_network_seconds 0.005",
)
