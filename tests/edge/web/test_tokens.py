"""Wrong tokens are logged and slowed down; behind a proxy that speaks TLS the cookie is Secure."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from web_parts import server

from roadmask.web.security.throttle import BURST, Throttle

TOKEN = "the-token-of-this-server"
RIGHT = {"Authorization": f"Bearer {TOKEN}"}


@pytest.fixture
def locked(tmp_path: Path) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    (tmp_path / "token").write_text(TOKEN)
    arguments = ("--token-file", tmp_path / "token", "--trusted-proxy", "127.0.0.7")
    with server("--socket", tmp_path / "s", *arguments) as running:
        yield running


def from_address(base: str, address: str, **more: Any) -> httpx.Client:
    """A client of that loopback address."""
    transport = httpx.HTTPTransport(local_address=address)
    return httpx.Client(base_url=base, transport=transport, timeout=30, **more)


def said(process: subprocess.Popen[str]) -> str:
    process.terminate()
    assert process.stderr is not None and process.wait(20) == 0
    return process.stderr.read()


def test_a_wrong_bearer_is_logged_without_itself(locked: tuple[str, Any]) -> None:
    base, process = locked
    with from_address(base, "127.0.0.2") as client:
        assert client.get("/models").status_code == 401  # none at all is no attempt
        wrong = {"Authorization": "Bearer guessed-this"}
        assert client.get("/models", headers=wrong).status_code == 401
        assert client.post("/login", data={"token": "guessed-that"}).status_code == 303
    lines = said(process).splitlines()
    assert len(lines) == 2 and all("wrong token" in line for line in lines)
    assert "at the API from 127.0.0.2" in lines[0] and "at /login from 127.0.0.2" in lines[1]
    assert "guessed" not in "".join(lines)


# A server for which no time passes, or a slow machine would let one more guess through.
TIMELESS = """
import sys, types
from roadmask.cli.main import main
from roadmask.web.security import throttle
throttle.time = types.SimpleNamespace(monotonic=lambda: 1000.0)
sys.exit(main(["serve", "--port", "0", "--socket", "{0}/s", "--token-file", "{0}/token"]))
"""


def test_wrong_tokens_are_slowed_down_by_address(tmp_path: Path) -> None:
    (tmp_path / "token").write_text(TOKEN)
    with server(script=TIMELESS.format(tmp_path)) as (base, process):
        assert_slowed_down(base, process)


def assert_slowed_down(base: str, process: subprocess.Popen[str]) -> None:
    with from_address(base, "127.0.0.3") as guesser, from_address(base, "127.0.0.4") as owner:
        answers = [
            guesser.get("/models", headers={"Authorization": f"Bearer guess-{n}"})
            for n in range(BURST + 20)
        ]
        assert {answer.status_code for answer in answers[:BURST]} == {401}
        refused = answers[BURST:]
        assert {answer.status_code for answer in refused} == {429}
        assert refused[-1].headers["retry-after"] == "2"
        assert "127.0.0.3" in refused[-1].json()["detail"]
        login = guesser.post("/login", data={"token": TOKEN})  # of a guess too many none is heard
        assert "wait=" in login.headers["location"] and "set-cookie" not in login.headers
        assert guesser.get("/models", headers=RIGHT).status_code == 429
        assert owner.get("/models", headers=RIGHT).status_code == 200
    assert said(process).count("wrong token") < BURST + 10


def test_the_throttle_lets_go_again(monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = 1000.0
    monkeypatch.setattr("roadmask.web.security.throttle.time.monotonic", lambda: now_s)
    throttle = Throttle()
    for _ in range(BURST):
        assert throttle.wait_s("2001:db8::1") == 0
        throttle.wrong("2001:db8::1")
    # A neighbour in the same /64 is the same host, or can be.
    assert throttle.wait_s("2001:db8::2") == 2 and throttle.wait_s("2001:db8:1::1") == 0
    now_s += 2.0
    assert throttle.wait_s("2001:db8::1") == 0


@pytest.mark.parametrize(
    ("address", "scheme", "secure"),
    [("127.0.0.7", "https", True), ("127.0.0.7", "http", False), ("127.0.0.8", "https", False)],
)
def test_the_cookie_is_secure_behind_a_trusted_proxy(
    locked: tuple[str, Any], address: str, scheme: str, secure: bool
) -> None:
    base, process = locked
    forwarded = {"X-Forwarded-Proto": scheme, "X-Forwarded-For": "203.0.113.5"}
    with from_address(base, address, headers=forwarded) as proxy:
        cookie = proxy.post("/login", data={"token": TOKEN}).headers["set-cookie"]
        assert ("Secure" in cookie) == secure
        proxy.get("/models", headers={"Authorization": "Bearer wrong-one", "Cookie": ""})
    # Whose word is believed tells the guesser's address; anybody else's word is nothing.
    assert ("203.0.113.5" if address == "127.0.0.7" else address) in said(process)
