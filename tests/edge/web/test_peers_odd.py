"""A peer may answer anything: it is one sentence, never a failure of this server."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from web_parts import encoded, server, town_picture

ANSWERS: dict[str, tuple[int, dict[str, str], bytes]] = {
    "text": (422, {}, rb'{"detail": "a \ud800 \u0000 b"}'),
    "busy": (503, {"Retry-After": "\u0663"}, b"{}"),
    "list": (404, {}, b"[1]"),
    "deep": (200, {}, b"[" * 100_000),
    "deep refusal": (422, {}, b"[" * 100_000),
    "no text": (422, {}, b'{"detail": "\xff"}'),
    "packed": (200, {"Content-Encoding": "gzip"}, b"no gzip"),
    "not a number": (200, {}, b""),
}  # by the model that is asked for: status, headers, body


class Odd(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        model = {"name": "odd", "scores": {"a": float("nan"), "b": [1e999]}}
        self.answer(200, {}, json.dumps({"default": "odd", "models": [model]}).encode())

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.answer(*ANSWERS[str(httpx.URL(self.path).params["model"])])

    def answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
        lines = [f"HTTP/1.1 {status} Odd", f"Content-Length: {len(body)}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        self.wfile.write("\r\n".join([*lines, "", ""]).encode() + body)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    nowhere: Path = tmp_path_factory.mktemp("odd") / "s"
    with ThreadingHTTPServer(("127.0.0.1", 0), Odd) as peer:
        thread = threading.Thread(target=peer.serve_forever)
        thread.start()
        where = f"odd=http://127.0.0.1:{peer.server_port}"
        with (
            server("--peer", where, "--socket", nowhere) as (base, _),
            httpx.Client(base_url=base, timeout=60) as client,
        ):
            whole = client.post(
                "/predict/?format=json", files={"image": encoded(town_picture())}
            ).json()
            whole["invoke_ms"] = float("nan")
            ANSWERS["not a number"] = (200, {}, json.dumps(whole).encode())
            yield client
        peer.shutdown()
        thread.join()


def test_its_list(client: httpx.Client) -> None:
    models = client.get("/models").raise_for_status().json()["models"]
    assert "odd@odd" in [model["name"] for model in models]


@pytest.mark.parametrize("kind", ANSWERS)
def test_its_answers(client: httpx.Client, kind: str) -> None:
    files = {"image": encoded(town_picture())}
    for form in ("png", "json"):
        query = {"model": f"{kind}@odd", "format": form}
        answer = client.post("/predict/", params=query, files=files)
        expected = {422: 422, 404: 404, 503: 503}.get(ANSWERS[kind][0], 502)
        assert answer.status_code == expected, answer.text
        assert answer.json()["detail"].isprintable()
