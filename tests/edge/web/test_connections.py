"""Requests that stop half-way, bodies that are announced and never come, and HEAD."""

from __future__ import annotations

import socket
from pathlib import Path

import httpx
import pytest
from web_parts import encoded, server, town_picture


def test_a_failed_login_is_logged_without_the_token(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("the-token-of-this-server")
    with server("--socket", tmp_path / "s", "--token-file", tmp_path / "token") as (base, process):
        assert httpx.post(base + "/login", data={"token": "guessed"}, timeout=60).status_code == 303
        process.terminate()
        assert process.stderr is not None and process.wait(20) == 0
        said = process.stderr.read()
    assert "wrong token was given at /login from 127.0.0.1" in said and "guessed" not in said


@pytest.mark.parametrize("path", ["/", "/ui/live", "/labels", "/healthz", "/openapi.json"])
def test_head_is_get_without_the_body(client: httpx.Client, path: str) -> None:
    head, get = client.head(path), client.get(path)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == get.headers["content-length"]


ENDED = """
import os, signal, sys
from roadmask.cli.main import main
from roadmask.web import server
told = server.complain
def told_and_ended(text):
    told(text)
    os.kill(os.getpid(), signal.SIGTERM)
server.complain = told_and_ended
sys.exit(main(["serve", "--port", "0", "--socket", "/nonexistent/s"]))
"""


def test_a_server_that_is_ended_as_soon_as_it_speaks_ends_in_order() -> None:
    """It spoke before it listened to signals."""
    with server(script=ENDED) as (_, process):  # which asserts the exit code
        process.wait(20)


def test_silent_uploads_take_no_room_and_half_sent_ones_no_log(tmp_path: Path) -> None:
    head = "POST {} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {}\r\nContent-Type: {}\r\n\r\n"
    form = "multipart/form-data; boundary=x"
    with server("--socket", tmp_path / "s") as (base, process):
        address = ("127.0.0.1", int(base.rpartition(":")[2]))
        silent = [socket.create_connection(address) for _ in range(9)]
        for number, connection in enumerate(silent):
            path = "/login" if number == 8 else "/predict/"
            connection.sendall(head.format(path, 32 << 20, form).encode())
        for _ in range(3):
            picture = {"image": encoded(town_picture())}
            answer = httpx.post(base + "/predict/", files=picture, timeout=60)
            assert answer.status_code == 200
        kind = {"Content-Type": form}
        broken = httpx.post(base + "/predict/", content=b"x", headers=kind, timeout=60)
        assert broken.status_code == 400
        for connection in silent:
            connection.close()
        assert httpx.get(base + "/healthz", timeout=60).status_code == 200
        process.terminate()
        assert process.stderr is not None and process.wait(20) == 0
        assert process.stderr.read() == ""
