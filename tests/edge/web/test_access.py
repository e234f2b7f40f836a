"""Closed by default: addresses, the token, sessions, host names, origins, headers."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from web_parts import encoded, server, town_picture
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from roadmask.cli.main import main

TOKEN = "correct-horse-battery-staple"


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A server that wants a token, on every address of this machine."""
    folder = tmp_path_factory.mktemp("token")
    (folder / "token").write_text(TOKEN + "\n")
    arguments = ("--host", "0.0.0.0", "--token-file", folder / "token", "--socket", folder / "s")
    with server(*arguments) as (base, _):
        local = base.replace("0.0.0.0", "127.0.0.1")
        with httpx.Client(base_url=local, timeout=30) as client:
            yield client


@pytest.fixture
def refusal(capfd: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """What ``roadmask serve`` says in one line before it ends with 2."""

    def serve(*arguments: object) -> str:
        assert main(["serve", "--port", "0", *map(str, arguments)]) == 2
        said = capfd.readouterr().err
        assert said.startswith("roadmask: ") and said.count("\n") == 1
        return said

    return serve


def test_another_address_takes_a_token(tmp_path: Path, refusal: Callable[..., str]) -> None:
    assert "--token-file" in refusal("--host", "0.0.0.0")
    assert "--token-file" in refusal("--host", "::")
    short = tmp_path / "short"
    short.write_text("secret\n")
    assert "16 characters" in refusal("--host", "0.0.0.0", "--token-file", short)
    assert "cannot be read" in refusal("--token-file", tmp_path / "none")


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ("--peer desk", "NAME=URL"),
        ("--peer desk=ftp://127.0.0.1", "NAME=URL"),
        ("--peer desk=http://user:pass@127.0.0.1", "NAME=URL"),
        ("--peer de-sk=http://127.0.0.1", "NAME=URL"),
        ("--peer-token desk=TOKEN", "there is no --peer"),
        ("--peer-token desk", "NAME=FILE"),
        ("--model /nonexistent.tflite", "missing"),
        ("--dataset nope", "unknown"),
        ("--dataset camvid", "--root"),
        ("--port 70000", "65535"),
        ("--host 203.0.113.9 --token-file TOKEN", "cannot listen"),
        ("--queue 0", "--queue"),
        ("--trusted-proxy *", "--trusted-proxy"),
    ],
)
def test_what_cannot_be_used_is_one_line(
    tmp_path: Path, refusal: Callable[..., str], arguments: str, named: str
) -> None:
    token = tmp_path / "token"
    token.write_text(TOKEN)
    assert named in refusal(*arguments.replace("TOKEN", str(token)).split())


@pytest.mark.parametrize(
    "path",
    ["/models", "/config", "/metrics", "/gallery", "/openapi.json", "/labels", "/", "/ui/live"],
)
def test_nothing_without_the_token(locked: httpx.Client, path: str) -> None:
    answer = locked.get(path)
    assert answer.status_code == 401 and answer.headers["www-authenticate"] == "Bearer"
    assert answer.headers["content-type"] == "application/problem+json"
    wrong = ("Bearer wrong", "Bearer", f"Basic {TOKEN}", f"Bearer {TOKEN}x", "Bearer é")
    # Of an address of its own for each page: wrong tokens of one are slowed down.
    transport = httpx.HTTPTransport(local_address=f"127.0.1.{sum(path.encode()) % 250}")
    with httpx.Client(base_url=locked.base_url, transport=transport, timeout=30) as guesser:
        for given in wrong:
            answer = guesser.get(path, headers={"Authorization": given.encode()})
            assert answer.status_code == 401
    assert locked.get(path, headers={"Cookie": "roadmask_session=x"}).status_code == 401
    assert locked.get(path, headers={"Cookie": f"roadmask_session={TOKEN}"}).status_code == 401
    answer = locked.get(path, headers={"Authorization": f"Bearer {TOKEN}"})
    if path == "/gallery":  # no data set was named
        assert answer.status_code == 404 and "--dataset" in answer.json()["detail"]
    else:
        assert answer.status_code == 200


def test_no_prediction_without_the_token(locked: httpx.Client) -> None:
    files = {"image": encoded(town_picture())}
    assert locked.post("/predict/", files=files).status_code == 401
    headers = {"Authorization": f"Bearer {TOKEN}"}
    assert locked.post("/predict/", files=files, headers=headers).status_code == 200


def test_health_is_open_and_a_browser_is_sent_to_the_login(locked: httpx.Client) -> None:
    assert locked.get("/healthz").json() == {"status": "ok"}
    assert locked.get("/readyz").json() == {"status": "ready"}
    answer = locked.get("/ui/gallery", headers={"Accept": "text/html"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/login?next=/ui/gallery")
    assert locked.get("/login").status_code == 200


def test_a_session(locked: httpx.Client) -> None:
    answer = locked.post("/login", data={"token": "wrong", "next": "/ui/gallery"})
    assert (
        answer.headers["location"].startswith("/login?failed=1&next=/")
        and "set-cookie" not in answer.headers
    )
    # The page's own form: to the address that it has, before any script has run.
    answer = locked.post("/login", params={"next": "/ui/gallery"}, data={"token": TOKEN})
    assert (answer.status_code, answer.headers["location"]) == (303, "/ui/gallery")
    answer = locked.post("/login", data={"token": TOKEN, "next": "/ui/gallery"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/ui/gallery")
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie and "SameSite=strict" in cookie and TOKEN not in cookie
    assert locked.get("/models").status_code == 200  # the client keeps the cookie
    session = locked.cookies["roadmask_session"]
    with connect(live(locked), additional_headers={"Cookie": f"roadmask_session={session}"}) as s:
        assert s.recv(timeout=30)
    assert locked.post("/logout").status_code == 303
    answer = locked.get("/models", headers={"Cookie": f"roadmask_session={session}"})
    assert answer.status_code == 401


@pytest.mark.parametrize(
    "target", ["//evil.example", "https://evil.example", "/\\evil.example", "evil", "/\tx", "/\nx"]
)
def test_the_login_leads_to_this_server_only(locked: httpx.Client, target: str) -> None:
    with httpx.Client(base_url=locked.base_url, timeout=30) as client:
        answers = [
            client.post("/login", data={"token": TOKEN, "next": target}),
            client.post("/login", params={"next": target}, data={"token": TOKEN}),
        ]
    assert [answer.headers["location"] for answer in answers] == ["/", "/"]


def live(client: httpx.Client) -> str:
    return str(client.base_url.copy_with(scheme="ws", path="/live"))


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer wrong"},
        {"Authorization": f"Bearer {TOKEN}", "Origin": "http://evil.example"},
        {"Authorization": f"Bearer {TOKEN}", "Origin": "null"},
    ],
)
def test_the_live_stream_is_closed_too(locked: httpx.Client, headers: dict[str, str]) -> None:
    with pytest.raises(InvalidStatus) as refused, connect(live(locked), additional_headers=headers):
        pass
    assert refused.value.response.status_code == 403


def test_the_live_stream_opens_with_token_and_origin(locked: httpx.Client) -> None:
    origin = str(locked.base_url).rstrip("/")
    headers: Any = {"Authorization": f"Bearer {TOKEN}", "Origin": origin}
    with connect(live(locked), additional_headers=headers) as socket:
        assert socket.recv(timeout=30)


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:80", "[::1", "", "127.0.0.1.nip.io"]
)
def test_a_foreign_host_name_is_refused(client: httpx.Client, host: str) -> None:
    assert client.get("/models", headers={"Host": host}).status_code == 421


@pytest.mark.parametrize("host", ["localhost:1", "127.0.0.1", "[::1]:8000", "192.168.1.2:8000"])
def test_addresses_are_known(client: httpx.Client, host: str) -> None:
    assert client.get("/models", headers={"Host": host}).status_code == 200


def test_another_site_may_not_use_it(client: httpx.Client) -> None:
    files = {"image": encoded(town_picture())}
    for headers in ({"Origin": "http://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
        assert client.post("/predict/", files=files, headers=headers).status_code == 403
    answer = client.options(
        "/predict/",
        headers={"Origin": "http://evil.example", "Access-Control-Request-Method": "POST"},
    )
    assert not [name for name in answer.headers if name.startswith("access-control")]


@pytest.mark.parametrize("path", ["/", "/models", "/nope", "/static/style.css", "/docs"])
def test_every_answer_has_the_headers(client: httpx.Client, path: str) -> None:
    headers = client.get(path).headers
    assert "default-src 'self'" in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert headers["referrer-policy"] == "same-origin" and "server" not in headers


@pytest.mark.parametrize(
    "path",
    [
        "/static/../settings.py",
        "/static/%2e%2e/settings.py",
        "/static/..%2f..%2fcli.py",
        "/static//etc/passwd",
        "/ui/..%2f..%2fcli",
        "/ui/%2e%2e",
        "/docs/files/..%2fcore.py",
        "/predict/?model=../../etc/passwd",
    ],
)
def test_no_way_out_of_the_folders(url: str, path: str) -> None:
    # curl sends the path as it is; most libraries tidy it first.
    command = ["curl", "-s", "--path-as-is", "-o", "/dev/null", "-w", "%{http_code}", url + path]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    assert result.stdout in ("404", "405")


def test_metrics_count_by_route(client: httpx.Client) -> None:
    client.get("/labels")
    client.get("/secret-looking-path")
    text = client.get("/metrics").text
    line = 'roadmask_http_requests_total{method="GET",route="/labels",status="200"}'
    assert line in text and "secret-looking-path" not in text
    assert 'roadmask_queue{model="roadlite-288x224"} 0.0' in text


def test_the_api_page_needs_no_network(client: httpx.Client) -> None:
    page = client.get("/docs").text
    assert "http://" not in page and "https://" not in page
    script = client.get("/docs/files/swagger-ui-bundle.js")
    assert script.status_code == 200 and len(script.content) > 100_000
    assert client.get("/openapi.json").json()["paths"]["/predict/"]["post"]


def test_it_ends_in_order(tmp_path: Path) -> None:
    with server("--socket", tmp_path / "s") as (base, process):
        with connect(base.replace("http", "ws") + "/live") as viewer:
            assert viewer.recv(timeout=30)
            process.send_signal(signal.SIGINT)  # every other test ends its server by SIGTERM
            assert process.wait(30) == 0
        assert process.stderr is not None and process.stderr.read() == ""
