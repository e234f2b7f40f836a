"""Pictures that are wrong or odd: one sentence each, or the right mask; none spoils another."""

from __future__ import annotations

import io
import struct
import zipfile
from pathlib import Path
from typing import Any

import cv2
import httpx
import numpy as np
import pytest
from upload_parts import (
    GREY,
    HUGE_JPEG,
    JPEG,
    PICTURE,
    animated_png,
    animated_webp,
    bomb,
    png_of,
    post,
    scanned,
)
from web_parts import decoded, encoded, engines_own

from roadmask.arrays import U8

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
    "half a jpeg with an end mark": (JPEG[: len(JPEG) // 2] + b"\xff\xd9", 422, "truncated"),
    "nearly all of a jpeg": (JPEG[:-20] + b"\xff\xd9", 422, "truncated"),
    "half a progressive jpeg": (scanned(0)[: len(scanned(0)) // 2] + b"\xff\xd9", 422, "truncated"),
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
