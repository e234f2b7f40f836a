"""Uploads that are wrong, large, many, slow: one sentence each, and nothing on disk."""

from __future__ import annotations

import io
import socket
import struct
import subprocess
import sys
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import httpx
import numpy as np
import pytest
from web_parts import decoded, encoded, engines_own, server, town_picture

from roadmask.arrays import U8

PICTURE = town_picture()


def chunk(kind: bytes, data: bytes) -> bytes:
    checksum = zlib.crc32(kind + data)
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", checksum)


def png_of(width: int, height: int, data: bytes, kind: int = 2, depth: int = 8) -> bytes:
    head = struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, 0)
    body = chunk(b"IDAT", zlib.compress(data))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + body + chunk(b"IEND", b"")


def bomb() -> bytes:
    """30,000 x 30,000 px in a megabyte: 2.7 GB of pixels when it is decoded."""
    return png_of(30_000, 30_000, bytes(1 << 20))


def animated_png() -> bytes:
    data = encoded(PICTURE)
    return data[:33] + chunk(b"acTL", struct.pack(">II", 2, 0)) + data[33:]


def animated_webp() -> bytes:
    flags = bytes((0x02, 0, 0, 0)) + (319).to_bytes(3, "little") + (179).to_bytes(3, "little")
    body = b"WEBPVP8X" + struct.pack("<I", 10) + flags + b"ANIM" + struct.pack("<I", 6) + bytes(6)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def scanned(count: int) -> bytes:
    """A progressive JPEG with so many empty scans, each of which costs the decoder a pass."""
    data = cv2.imencode(".jpg", PICTURE, (cv2.IMWRITE_JPEG_PROGRESSIVE, 1))[1].tobytes()
    at = data.rfind(b"\xff\xda")
    return data[:-2] + data[at : at + 2 + data[at + 3]] * count + data[-2:]


def post(client: httpx.Client, data: bytes, **query: Any) -> httpx.Response:
    return client.post("/predict/", files={"image": ("frame", data)}, params=query)


JPEG = encoded(PICTURE, ".jpg")
HUGE_JPEG = JPEG.replace(struct.pack(">HH", 180, 320), struct.pack(">HH", 65_000, 65_000), 1)
BAD = {
    "empty": (b"", 422, "not a PNG"),
    "text": (b"hello, this is no picture at all", 422, "not a PNG"),
    "gif": (b"GIF89a" + bytes(60), 422, "not a PNG"),
    "svg": (b"<svg xmlns='http://www.w3.org/2000/svg'/>", 422, "not a PNG"),
    "png head": (encoded(PICTURE)[:20], 422, "truncated"),
    "png cut": (encoded(PICTURE)[:-300], 422, "truncated"),
    "png damaged": (encoded(PICTURE)[:60] + bytes(200) + encoded(PICTURE)[260:], 422, "damaged"),
    "png empty": (png_of(0, 10, b""), 422, "nothing"),
    "png without data": (png_of(100, 100, b""), 422, "damaged"),
    "jpeg cut": (JPEG[: len(JPEG) // 2], 422, "truncated"),
    "jpeg head": (JPEG[:100], 422, "truncated"),
    "jpeg garbled": (JPEG.replace(b"\xff\xc0", b"\xff\xc3", 1), 422, "damaged"),
    "jpeg of many scans": (scanned(20_000), 422, "scans"),
    "webp cut": (encoded(PICTURE, ".webp")[:-100], 422, "truncated"),
    "webp odd": (b"RIFF\x10\x00\x00\x00WEBPXXXX" + bytes(12), 422, "WebP"),
    "thin": (png_of(1, 25_000, bytes(4 * 25_000)), 422, "1x25000 px: at most 16384 a side"),
    "wide": (png_of(25_000, 1, bytes(75_001)), 422, "25000x1 px: at most 16384 a side"),
    "bomb": (bomb(), 413, "30000x30000"),
    "jpeg bomb": (HUGE_JPEG, 413, "65000x65000"),
    "animated png": (animated_png(), 422, "animated"),
    "animated webp": (animated_webp(), 422, "animated"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_picture_is_one_sentence(client: httpx.Client, name: str) -> None:
    data, status, words = BAD[name]
    answer = post(client, data)
    problem = answer.json()
    assert (answer.status_code, problem["status"]) == (status, status), problem
    assert answer.headers["content-type"] == "application/problem+json"
    assert words in problem["detail"] and "\n" not in problem["detail"]


def test_an_odd_picture_spoils_no_other_of_a_batch(client: httpx.Client) -> None:
    good, thin = encoded(PICTURE), BAD["thin"][0]
    files = [("image", (name, data)) for name, data in (("a", good), ("b", thin), ("c", good))]
    items = client.post("/predict/batch?format=json", files=files).raise_for_status().json()
    assert [bool(item["prediction"]) for item in items["predictions"]] == [True, False, True]
    assert items["predictions"][1]["problem"]["status"] == 422
    archive = client.post("/predict/batch", files=files).raise_for_status().content
    with zipfile.ZipFile(io.BytesIO(archive)) as held:
        assert held.namelist() == ["000-a.png", "001-b.txt", "002-c.png"]
        assert b"16384" in held.read("001-b.txt")


def exif_rotated() -> bytes:
    """Orientation 6: to be turned a quarter clockwise when it is shown."""
    tiff = b"II*\x00\x08\x00\x00\x00\x01\x00" + struct.pack("<HHIHH", 0x0112, 3, 1, 6, 0) + bytes(4)
    segment = b"Exif\x00\x00" + tiff
    return JPEG[:2] + b"\xff\xe1" + struct.pack(">H", len(segment) + 2) + segment + JPEG[2:]


def with_alpha() -> U8:
    alpha = np.full((*PICTURE.shape[:2], 1), 77, np.uint8)
    return np.concatenate((PICTURE, alpha), axis=2)


SHOWN = cv2.imdecode(np.frombuffer(JPEG, np.uint8), cv2.IMREAD_COLOR)
GREY = cv2.cvtColor(PICTURE, cv2.COLOR_BGR2GRAY)
ODD: dict[str, tuple[bytes, Any]] = {
    "1x1": (encoded(PICTURE[:1, :1]), PICTURE[:1, :1]),
    "1 px wide": (encoded(PICTURE[:, :1]), PICTURE[:, :1]),
    "16 bit": (encoded(PICTURE.astype(np.uint16) * 257), PICTURE),
    "grey": (encoded(GREY), cv2.cvtColor(GREY, cv2.COLOR_GRAY2BGR)),
    "grey 16 bit": (encoded(GREY.astype(np.uint16) * 257), cv2.cvtColor(GREY, cv2.COLOR_GRAY2BGR)),
    "alpha": (encoded(with_alpha()), PICTURE),
    "alpha webp": (encoded(with_alpha(), ".webp"), None),
    "turned": (exif_rotated(), cv2.rotate(SHOWN, cv2.ROTATE_90_CLOCKWISE)),
    "bytes after the end": (JPEG + b"trailing", SHOWN),
}


@pytest.mark.parametrize("name", ODD)
def test_an_odd_picture_is_right(client: httpx.Client, shipped_model: Path, name: str) -> None:
    data, pixels = ODD[name]
    answer = post(client, data)
    assert answer.status_code == 200, answer.text
    mask = decoded(answer.content)
    if pixels is None:
        assert mask.shape == PICTURE.shape[:2]
    else:
        assert np.array_equal(mask, engines_own(shipped_model, np.ascontiguousarray(pixels))[0])


def test_cmyk(client: httpx.Client, shipped_model: Path) -> None:
    image = pytest.importorskip("PIL.Image")
    buffer = io.BytesIO()
    rgb = np.ascontiguousarray(PICTURE[..., ::-1])
    image.fromarray(rgb).convert("CMYK").save(buffer, "JPEG", quality=95)
    answer = post(client, buffer.getvalue())
    assert answer.status_code == 200
    same = decoded(answer.content) == engines_own(shipped_model, PICTURE)[0]
    assert same.mean() > 0.9  # JPEG changes pixels; inverted colours would change most masks


BAD_FORMS: dict[str, tuple[dict[str, Any], int, str]] = {
    "no form": ({"content": encoded(PICTURE), "headers": {"Content-Type": "image/png"}}, 415, ""),
    "no type": ({"content": b"x"}, 415, "multipart/form-data"),
    "no boundary": (
        {"content": b"x", "headers": {"Content-Type": "multipart/form-data"}}, 415, ""
    ),
    "not that form": (
        {"content": b"x", "headers": {"Content-Type": "multipart/form-data; boundary=a"}}, 400, ""
    ),
    "cut": (
        {
            "content": b'--a\r\nContent-Disposition: form-data; name="image"\r\n\r\nx',
            "headers": {"Content-Type": "multipart/form-data; boundary=a"},
        },
        400,
        "last boundary",
    ),
    "no name": (
        {
            "content": b"--a\r\nContent-Type: image/png\r\n\r\nx\r\n--a--\r\n",
            "headers": {"Content-Type": "multipart/form-data; boundary=a"},
        },
        400,
        "no name",
    ),
    "long headers": (
        {
            "content": b"--a\r\n" + b"X-Y: " + b"z" * 20_000 + b"\r\n\r\nx\r\n--a--\r\n",
            "headers": {"Content-Type": "multipart/form-data; boundary=a"},
        },
        400,
        "header size",
    ),
    "other part": ({"files": {"picture": encoded(PICTURE)}}, 422, "picture"),
    "two images": (
        {"files": [("image", encoded(PICTURE)), ("image", encoded(PICTURE))]}, 413, "at most 1"
    ),
    "many parts": ({"files": [(f"x{n}", b"x") for n in range(100)]}, 413, "parts"),
    "truth of another size": (
        {
            "files": {"image": encoded(PICTURE), "truth": encoded(GREY[:9] * 0)},
            "params": {"format": "json"},
        },
        422,
        "one size",
    ),
    "truth with odd ids": (
        {
            "files": {"image": encoded(PICTURE), "truth": encoded(GREY * 0 + 200)},
            "params": {"format": "json"},
        },
        422,
        "truth_labels",
    ),
    "truth in odd colours": (
        {
            "files": {"image": encoded(PICTURE), "truth": encoded(PICTURE)},
            "params": {"format": "json"},
        },
        422,
        "colours",
    ),
    "unknown model": (
        {"files": {"image": encoded(PICTURE)}, "params": {"model": "../x"}}, 404, "roadnet"
    ),
    "unknown format": (
        {"files": {"image": encoded(PICTURE)}, "params": {"format": "gif"}}, 422, "format"
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD_FORMS)
def test_a_bad_form_is_one_sentence(client: httpx.Client, name: str) -> None:
    request, status, words = BAD_FORMS[name]
    answer = client.post("/predict/", **request)
    problem = answer.json()
    assert (answer.status_code, problem["status"]) == (status, status), problem
    assert words in problem["detail"] and "\n" not in problem["detail"]


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


def peak_mib(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


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


def test_a_body_that_does_not_come_is_given_up(
    monkeypatch: pytest.MonkeyPatch, shipped_model: Path
) -> None:
    import threading

    import uvicorn

    from roadmask.web import server as serving
    from roadmask.web.app import create_app
    from roadmask.web.settings import Limits, ServeConfig

    monkeypatch.setattr(serving, "_HEAD_S", 0.3)
    app = create_app(ServeConfig(socket="/nonexistent/s", limits=Limits(body_s=0.3)))
    listener = socket.create_server(("127.0.0.1", 0))
    running = uvicorn.Server(
        uvicorn.Config(app, http=serving.TimedProtocol, ws="websockets-sansio", log_level="error")
    )
    thread = threading.Thread(target=running.run, kwargs={"sockets": [listener]})
    thread.start()
    address = listener.getsockname()
    try:
        head = b"POST /predict/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99\r\n"
        head += b"Content-Type: multipart/form-data; boundary=a\r\n\r\n--a"
        for sent, expected in ((head, b"HTTP/1.1 408"), (b"GET / HT", b""), (b"", b"")):
            with socket.create_connection(address, timeout=60) as slow:
                slow.sendall(sent)
                assert slow.recv(12) == expected
        from websockets.sync.client import connect

        with connect(f"ws://127.0.0.1:{address[1]}/live") as viewer:
            for _ in range(4):  # a status every half second: longer than a head may take
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
