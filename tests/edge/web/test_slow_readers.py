"""Who asks and does not read keeps no memory and no place; who reads slowly gets all of it."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from typing import Any, ClassVar

import pytest
from stream_parts import wait_for

pytest.importorskip("fastapi")

import uvicorn

from roadmask.web import server as serving
from roadmask.web.app import create_app
from roadmask.web.settings import ServeConfig

COUNT = 24
REQUEST = b"GET /gallery/town2000_000000/image HTTP/1.1\r\nHost: localhost\r\n\r\n"
STATUS = b"HTTP/1.1 200 OK"


@pytest.fixture
def running() -> Iterator[tuple[uvicorn.Server, int]]:
    app = create_app(ServeConfig(socket="/nonexistent/s", dataset="town"))
    server = uvicorn.Server(uvicorn.Config(app, http=serving.TimedProtocol, log_config=None))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        yield server, listener.getsockname()[1]
        server.should_exit = True
        thread.join(30)
    assert not thread.is_alive()


def asking(port: int) -> socket.socket:
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 14)
    client.settimeout(60)
    client.connect(("127.0.0.1", port))
    client.sendall(REQUEST * COUNT)  # more than the kernel keeps for us
    return client


def test_who_reads_nothing_is_left(
    monkeypatch: pytest.MonkeyPatch, running: tuple[uvicorn.Server, int]
) -> None:
    monkeypatch.setattr(serving, "_SENT_S", 0.5)
    server, port = running
    with asking(port):
        # Not its connection, which may have come and gone between two looks.
        wait_for(lambda: server.server_state.total_requests, "a first answer is on its way")
        wait_for(lambda: not server.server_state.connections, "the server gave it up")


def test_who_reads_slowly_gets_all(running: tuple[uvicorn.Server, int]) -> None:
    _, port = running
    with asking(port) as client:
        last, heads = b"", 0
        while heads < COUNT:
            part = client.recv(1 << 16)
            assert part, f"cut off after {heads} answers"
            heads += (last + part).count(STATUS)
            last = part[1 - len(STATUS) :]


def test_time_begins_anew_with_what_is_taken() -> None:
    """By the timer itself: no clock, and no reader who may get no core for a while."""

    class Transport:
        waiting, aborted = 1 << 20, False

        def get_write_buffer_size(self) -> int:
            return self.waiting

        def abort(self) -> None:
            self.aborted = True

    class Loop:
        timers: ClassVar[list[float]] = []

        def call_later(self, seconds: float, _: object) -> None:
            self.timers.append(seconds)

    protocol: Any = serving.TimedProtocol.__new__(serving.TimedProtocol)
    transport = protocol.transport = Transport()
    loop = protocol.loop = Loop()
    protocol._watch_sent()
    for taken in range(1, 4):
        transport.waiting -= serving._SENT_BYTES
        protocol._unread()
        assert not transport.aborted and loop.timers == [serving._SENT_S] * (1 + taken)
    transport.waiting -= serving._SENT_BYTES - 1
    protocol._unread()
    assert transport.aborted and len(loop.timers) == 4
