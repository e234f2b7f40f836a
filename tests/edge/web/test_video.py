"""A short video is segmented frame by frame, decoded in a process of its own, within its limits."""

from __future__ import annotations

import json
import socket
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import httpx
import numpy as np
import pytest
from page_parts import Page
from stream_parts import wait_for
from web_parts import decoded, engines_own, server, town_picture

from roadmask.web.videos.reader import LONGEST_S, MOST_FRAMES

FPS = 10
TINY = (64, 48)


def video(path: Path, frames: int, size: tuple[int, int] = (160, 120), fps: float = FPS) -> Path:
    """An MP4 of so many town pictures."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), fps, size)
    assert writer.isOpened()
    pictures = [town_picture(*size, frame=20 * n) for n in range(5)]
    for number in range(frames):
        writer.write(pictures[number % 5])
    writer.release()
    return path


def messages(data: bytes) -> Iterator[tuple[dict[str, Any], Any, Any]]:
    at = 0
    while at < len(data):
        (size,) = struct.unpack_from("<I", data, at)
        magic, text, mask, preview = struct.unpack_from("<4sIII", data, at + 4)
        assert magic == b"RMW1" and size == 16 + text + mask + preview
        start = at + 20
        about = json.loads(data[start : start + text])
        pictures = (
            data[start + text : start + text + mask],
            data[start + text + mask : at + 4 + size],
        )
        yield about, *map(decoded, pictures)
        at += 4 + size
    assert at == len(data)


def test_every_frame_has_its_mask(
    client: httpx.Client, shipped_model: Path, tmp_path: Path
) -> None:
    file = video(tmp_path / "v.mp4", 7)
    answer = client.post("/predict/video", files={"video": file.read_bytes()})
    assert answer.status_code == 200, answer.text
    found = list(messages(answer.content))
    assert [about["at_s"] for about, _, _ in found] == [n / FPS for n in range(7)]
    reader = cv2.VideoCapture(str(file))
    for about, mask, picture in found:
        done, image = reader.read()
        assert done and np.array_equal(mask, engines_own(shipped_model, image)[0])
        assert np.abs(picture.astype(int) - image).mean() < 12  # JPEG
        assert sum(about["shares"].values()) == pytest.approx(1)


def test_a_long_one_is_refused_and_a_fast_one_thinned(client: httpx.Client, tmp_path: Path) -> None:
    long = video(tmp_path / "long.mp4", int(LONGEST_S) + 2, TINY, fps=1)
    answer = client.post("/predict/video", files={"video": long.read_bytes()})
    assert answer.status_code == 422 and "cut it" in answer.json()["detail"]
    fast = video(tmp_path / "fast.mp4", 2 * MOST_FRAMES + 10, TINY, fps=60)
    answer = client.post("/predict/video", files={"video": fast.read_bytes()})
    times = [about["at_s"] for about, _, _ in messages(answer.content)]
    assert MOST_FRAMES / 2 < len(times) <= MOST_FRAMES
    assert times[1] == pytest.approx(3 / 60, abs=1e-3)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1:9/x\n", "MP4 or WebM"),
        (b"\x00\x00\x00\x18ftypmp42" + bytes(500), "decoded"),
        (b"", "MP4 or WebM"),
    ],
)
def test_what_is_no_video_is_one_sentence(client: httpx.Client, data: bytes, words: str) -> None:
    answer = client.post("/predict/video", files={"video": data})
    assert answer.status_code == 422 and words in answer.json()["detail"]
    assert "\n" not in answer.json()["detail"]


def test_a_damaged_one_spoils_nothing(client: httpx.Client, tmp_path: Path) -> None:
    data = bytearray(video(tmp_path / "v.mp4", 20).read_bytes())
    rng = np.random.default_rng(1)
    for place in rng.integers(200, len(data) - 1200, 200):
        data[place] ^= 0x55
    answer = client.post("/predict/video", files={"video": bytes(data)})
    assert answer.status_code in (200, 422)
    assert client.get("/readyz").status_code == 200


def test_who_leaves_before_the_first_frame_keeps_no_place(tmp_path: Path) -> None:
    data = video(tmp_path / "v.mp4", 7).read_bytes()
    with (
        server("--socket", tmp_path / "s") as (base, _),
        httpx.Client(base_url=base, timeout=60) as client,
    ):
        request = httpx.Request("POST", base + "/predict/video", files={"video": data})
        head = [f"{name}: {value}" for name, value in request.headers.items()]
        sent = "\r\n".join(("POST /predict/video HTTP/1.1", *head, "", "")).encode()
        address = ("127.0.0.1", int(base.rpartition(":")[2]))
        for _ in range(4):
            with socket.create_connection(address) as connection:
                connection.sendall(sent + request.read())
            wait_for(lambda: "roadmask_upload_bytes 0.0" in client.get("/metrics").text, "")
        answer = client.post("/predict/video", files={"video": data})
        assert answer.status_code == 200, answer.text


def test_a_page_shows_it(page: Page, tmp_path: Path) -> None:
    page.open("/ui/gallery").until("document.querySelector('#truth-labels').options.length > 1")
    page.element("#own-image-file").send_keys(str(video(tmp_path / "drive.mp4", 6)))
    page.element("#predict").click()
    page.until("document.querySelector('#film').dataset.frames == '6'", "all frames")
    assert page.canvas("#film-view").shape == (120, 160, 3)
    last = page.canvas("#film-view")
    page.slide("#film-at", 0)
    page.wait(lambda: not np.array_equal(page.canvas("#film-view"), last), "the first frame")
    assert "6" in page.text("#what") and "0.00 s" in page.text("#film-time")
