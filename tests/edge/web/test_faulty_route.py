"""A request that the server itself fails on: a whole answer, and the connection ends in order."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPConnection

import pytest

pytest.importorskip("fastapi")

import uvicorn

from roadmask.web import server as serving
from roadmask.web.app import create_app
from roadmask.web.settings import ServeConfig


@pytest.fixture
def port() -> Iterator[int]:
    """Of a server with a route that raises what nobody foresaw."""
    app = create_app(ServeConfig(socket="/nonexistent/s", dataset="town"))

    async def fails() -> None:
        raise ZeroDivisionError("a fault of ours")

    app.add_api_route("/fails", fails)
    running = uvicorn.Server(uvicorn.Config(app, http=serving.TimedProtocol, log_config=None))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=running.run, kwargs={"sockets": [listener]})
        thread.start()
        yield listener.getsockname()[1]
        running.should_exit = True
        thread.join(30)
    assert not thread.is_alive()


def test_a_kept_connection_is_told_that_it_ends(
    port: int, caplog: pytest.LogCaptureFixture
) -> None:
    """It was closed without a word, and the next request on it met a reset."""
    with closing(HTTPConnection("127.0.0.1", port, timeout=60)) as client:
        client.request("GET", "/labels")
        kept = client.getresponse()
        assert kept.status == 200 and kept.read() and not kept.will_close
        client.request("GET", "/fails")
        answer = b"".join(iter(lambda: client.sock.recv(1 << 16), b""))  # to its end, and no reset
    head, _, body = answer.partition(b"\r\n\r\n")
    lines = head.lower().split(b"\r\n")
    assert lines[0].startswith(b"http/1.1 500 ")
    assert b"connection: close" in lines
    assert b"content-length: %d" % len(body) in lines
    assert "its log says how" in json.loads(body)["detail"]
    assert "a fault of ours" in caplog.text
