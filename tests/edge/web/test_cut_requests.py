"""A server that is told to end waits a moment for its requests; what it cuts is one line."""

from __future__ import annotations

import json
import logging
import re
import socket
import threading
from pathlib import Path

import httpx
import pytest
from stream_parts import wait_for
from web_parts import server

pytest.importorskip("fastapi")

import uvicorn
from websockets.sync.client import connect

from roadmask.web import server as serving
from roadmask.web.app import create_app
from roadmask.web.settings import ServeConfig

HALF = (
    "POST /predict/ HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1000\r\n"
    "Content-Type: multipart/form-data; boundary=x\r\n\r\n--x\r\n"
)
UNREAD = "GET /gallery/town2000_000000/image HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"


def asking(port: int, text: str) -> socket.socket:
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 14)
    client.settimeout(60)
    client.connect(("127.0.0.1", port))
    client.sendall(text.encode())
    return client


def test_a_request_that_is_cut_is_one_line_and_no_traceback(tmp_path: Path) -> None:
    with server("--socket", tmp_path / "s") as (base, process):
        port = int(base.rpartition(":")[2])
        with (
            asking(port, HALF) as half,
            asking(port, "GET /labels HTTP/1.1\r\n") as idle,  # half a head is no request
            connect(f"ws://127.0.0.1:{port}/live") as viewer,
        ):
            assert viewer.recv(60)
            # Both of the above were read before this one is.
            assert httpx.get(base + "/healthz", timeout=60).status_code == 200
            process.terminate()
            assert process.stderr is not None and process.wait(60) == 0
            said = process.stderr.read().splitlines()
            assert len(said) == 1, said
            assert re.fullmatch(r"roadmask: 1 request was .* cut off", said[0]), said
            head, _, body = half.makefile("rb").read().partition(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 503 ") and b"retry-after: 5" in head.lower()
            assert b"x-content-type-options: nosniff" in head.lower()
            assert json.loads(body)["status"] == 503
            assert idle.recv(1) == b""


def test_who_does_not_read_holds_no_server_up(
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """An answer that waits behind an unread one is cut as well, and both connections go."""
    monkeypatch.setattr(serving, "_GRACE_S", 0.2)
    app = create_app(ServeConfig(socket="/nonexistent/s", dataset="town"))
    # Without a set-up of logging, which would close the handlers that others have here, and
    # TensorFlow's closes pytest's own standard error with itself.
    settings = uvicorn.Config(app, http=serving.TimedProtocol, log_config=None)
    ours = serving._Server(settings, "here", threading.Event())
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 14)  # of its connections
        port = listener.getsockname()[1]
        thread = threading.Thread(target=ours.run, kwargs={"sockets": [listener]})
        thread.start()
        state = ours.server_state

        def unread() -> bool:
            paused = any(c.flow.write_paused for c in state.connections if c.flow is not None)
            return paused and state.total_requests == 1 and len(state.tasks) == 2

        with asking(port, UNREAD * 2), asking(port, HALF):
            wait_for(unread, "one answer is unread, one waits behind it, one request is half sent")
            ours.should_exit = True
            thread.join(60)
            assert not thread.is_alive()
    assert not state.tasks and not state.connections
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]
    said = capfd.readouterr().err.splitlines()
    assert said[0] == "roadmask: here"
    assert len(said) == 2 and re.fullmatch(r"roadmask: 2 requests were .* cut off", said[1]), said


def test_a_server_with_nothing_under_way_says_nothing(tmp_path: Path) -> None:
    with (
        server("--socket", tmp_path / "s") as (base, process),
        httpx.Client(base_url=base, timeout=60) as kept,
    ):
        assert kept.get("/healthz").status_code == 200  # its connection stays open
        process.terminate()
        assert process.stderr is not None and process.wait(60) == 0
        assert process.stderr.read() == ""
