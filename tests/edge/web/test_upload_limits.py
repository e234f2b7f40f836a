"""Uploads that are large, many, slow: refused in time, within memory, and never on disk."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from upload_parts import HUGE_JPEG, PICTURE, bomb, peak_mib, post
from web_parts import decoded, encoded, engines_own, server, town_picture

from roadmask.labels.label_set import CATEGORY_COLORS_RGB


def test_a_hundred_megabytes(client: httpx.Client) -> None:
    answer = post(client, bytes(100_000_000))
    assert answer.status_code == 413 and "33554432" in answer.json()["detail"]

    def endless() -> Any:  # chunked: its length is known only when it is too late
        yield b'--a\r\nContent-Disposition: form-data; name="image"; filename="x"\r\n\r\n'
        for _ in range(100):
            yield bytes(1_000_000)

    headers = {"Content-Type": "multipart/form-data; boundary=a"}
    answer = client.post("/predict/", content=endless(), headers=headers)
    assert answer.status_code == 413


def test_curl_gets_the_sentence_for_a_hundred_megabytes(url: str, tmp_path: Path) -> None:
    large = tmp_path / "large"
    with large.open("wb") as file:
        file.truncate(100_000_000)
    command = ["curl", "-sS", "-F", f"image=@{large}", f"{url}/predict/"]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    assert '"status":413' in result.stdout


@pytest.fixture(scope="module")
def busy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[httpx.Client, int]]:
    """A server of its own with a short line, warmed up, and its process id."""
    folder = tmp_path_factory.mktemp("busy")
    limits = httpx.Limits(max_connections=50)
    with (
        server("--queue", 4, "--socket", folder / "s") as (base, process),
        httpx.Client(base_url=base, timeout=120, limits=limits) as client,
    ):
        assert post(client, encoded(PICTURE)).status_code == 200
        yield client, process.pid


def test_a_bomb_costs_no_memory(busy: tuple[httpx.Client, int]) -> None:
    client, pid = busy
    before = peak_mib(pid)
    for data in (bomb(), HUGE_JPEG, bytes(100_000_000)):
        assert post(client, data).status_code == 413
    assert peak_mib(pid) < before + 100


@pytest.mark.slow
def test_a_truth_in_colours_stays_within_the_documented_memory(tmp_path: Path) -> None:
    """16 bytes a pixel, as docs/console.md says, of the largest picture that is taken."""
    width = height = 4900  # 24 MP
    ids = np.random.default_rng(1).integers(1, 8, (height // 10, width // 10), np.uint8)
    colours = np.kron(CATEGORY_COLORS_RGB[ids], np.ones((10, 10, 1), np.uint8))
    large = {"image": encoded(colours), "truth": encoded(colours[..., ::-1].copy())}
    with server("--socket", tmp_path / "s") as (base, process):
        assert httpx.post(base + "/predict/", files={"image": encoded(PICTURE)}).status_code == 200
        before = peak_mib(process.pid)
        answer = httpx.post(base + "/predict/?format=json", files=large, timeout=120)
        assert answer.status_code == 200, answer.text
        taken = (peak_mib(process.pid) - before) * (1 << 20) / (width * height)
    assert taken < 16


def test_fifty_at_once_are_right_or_refused(
    busy: tuple[httpx.Client, int], shipped_model: Path
) -> None:
    client, pid = busy
    images = [town_picture(640, 360, frame=n) for n in range(5)]
    files = [encoded(image) for image in images]
    masks = [engines_own(shipped_model, image)[0] for image in images]
    before = peak_mib(pid)
    seen: Counter[int] = Counter()
    while not (seen[200] and seen[503]):  # at once, until some had to be refused
        with ThreadPoolExecutor(50) as pool:
            answers = list(pool.map(lambda n: post(client, files[n % 5]), range(50)))
        for number, answer in enumerate(answers):
            seen[answer.status_code] += 1
            if answer.status_code == 200:
                assert np.array_equal(decoded(answer.content), masks[number % 5])
            else:
                assert int(answer.headers["retry-after"]) >= 1
    assert set(seen) == {200, 503}
    assert peak_mib(pid) < before + 200
    assert post(client, files[1]).status_code == 200


# Files cannot grow (RLIMIT_FSIZE 0) and no temporary folder exists: what would be written fails.
_NO_DISK = """
import resource, signal, sys
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
from roadmask.cli.main import main
sys.exit(main(["serve", "--port", "0", "--socket", "/nonexistent/s"]))
"""


def test_an_upload_is_never_written_to_disk() -> None:
    with server(TMPDIR="/nonexistent", script=_NO_DISK) as (base, _):
        # Far above the megabyte from which form parsers use a temporary file.
        large = encoded(np.random.default_rng(1).integers(0, 256, (1500, 1500, 3), np.uint8))
        assert len(large) > 6_000_000
        files = {"image": large, "truth": encoded(np.zeros((1500, 1500), np.uint8))}
        answer = httpx.post(base + "/predict/?format=json", files=files, timeout=60)
        assert answer.status_code == 200, answer.text
        batch = [("image", large), ("image", large)]
        assert httpx.post(base + "/predict/batch", files=batch, timeout=60).status_code == 200


def test_the_limit_on_files_bites(tmp_path: Path) -> None:
    limited = _NO_DISK.split("from roadmask")[0] + "open(sys.argv[1], 'wb', 0).write(b'x')"
    command = [sys.executable, "-c", limited, str(tmp_path / "x")]
    result = subprocess.run(command, capture_output=True, text=True)
    assert "File too large" in result.stderr


@pytest.mark.parametrize("path", ["/evaluations", "/drives/a.mcap/marks", "/login"])
def test_what_is_no_upload_is_small(client: httpx.Client, path: str) -> None:
    """FastAPI reads any body whole before it looks at it."""
    answer = client.post(path, content=iter([b" " * (1 << 20)] * 40))
    assert answer.status_code == 413 and "16384 bytes" in answer.json()["detail"]


def test_a_body_that_does_not_come_is_given_up(
    monkeypatch: pytest.MonkeyPatch, shipped_model: Path
) -> None:
    import threading

    import uvicorn

    from roadmask.web import server as serving
    from roadmask.web import small_body
    from roadmask.web.app import create_app
    from roadmask.web.settings import Limits, ServeConfig

    monkeypatch.setattr(serving, "_HEAD_S", 2.0)
    monkeypatch.setattr(small_body, "_TIME_S", 2.0)
    app = create_app(ServeConfig(socket="/nonexistent/s", limits=Limits(body_s=2.0)))
    listener = socket.create_server(("127.0.0.1", 0))
    running = uvicorn.Server(
        uvicorn.Config(app, http=serving.TimedProtocol, ws="websockets-sansio", log_config=None)
    )
    thread = threading.Thread(target=running.run, kwargs={"sockets": [listener]})
    thread.start()
    address = listener.getsockname()
    try:
        head = b"POST /predict/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99\r\n"
        head += b"Content-Type: multipart/form-data; boundary=a\r\n\r\n--a"
        slow_ones = [(head, b"HTTP/1.1 408"), (b"GET / HT", b""), (b"", b"")]
        for path in (b"/login", b"/evaluations", b"/drives/a.mcap/marks"):
            slow_ones.append((head.replace(b"/predict/", path), b"HTTP/1.1 408"))
        with ExitStack() as stack:  # they dawdle beside each other
            waiting = []
            for sent, expected in slow_ones:
                slow = stack.enter_context(socket.create_connection(address, timeout=60))
                slow.sendall(sent)
                waiting.append((slow, expected))
            for slow, expected in waiting:
                assert slow.recv(12) == expected
        from websockets.sync.client import connect

        with connect(f"ws://127.0.0.1:{address[1]}/live") as viewer:
            for _ in range(6):  # a status every half second: longer than a head may take
                assert viewer.recv(timeout=60)
    finally:
        running.should_exit = True
        thread.join(30)
        listener.close()
    assert not thread.is_alive()


def test_a_body_is_freed_at_once() -> None:
    """Not when the garbage collector comes: fifty large bodies do not make it come."""
    import asyncio
    import gc
    import weakref

    from fastapi import Request

    from roadmask.web.pictures.uploads import read_form
    from roadmask.web.settings import Limits

    async def receive() -> dict[str, Any]:
        body = b'--a\r\nContent-Disposition: form-data; name="image"\r\n\r\nxyz\r\n--a--\r\n'
        return {"type": "http.request", "body": body, "more_body": False}

    headers = [(b"content-type", b"multipart/form-data; boundary=a")]
    request = Request({"type": "http", "method": "POST", "headers": headers}, receive)
    gc.disable()
    try:
        parts = asyncio.run(read_form(request, Limits(), lambda _: None))
        assert parts[0].data == b"xyz"
        watched = weakref.ref(parts[0])
        del parts
        assert watched() is None
    finally:
        gc.enable()
