"""Streams that cannot be unpacked behind right checksums: refused by us, with no line of libpng."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest

from roadmask.errors import DataError
from roadmask.imaging.headers import read_header
from roadmask.imaging.png_stream import _PASSES, is_whole
from roadmask.imaging.reading import read_image

pytest.importorskip("fastapi")

from roadmask.web.pictures.decode import decode_index_picture, decode_picture

WIDTH, HEIGHT = 151, 203  # 92 KB: more than a piece
LINES = np.random.default_rng(1).integers(0, 256, (HEIGHT, 3 * WIDTH + 1), np.uint8)
LINES[:, 0] = np.arange(HEIGHT) % 5  # every filter
ROWS = LINES.tobytes()
STREAM = zlib.compress(ROWS)


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(*streams: bytes, bits: int = 8, color: int = 2, laced: int = 0, method: int = 0) -> bytes:
    head = struct.pack(">IIBBBBB", WIDTH, HEIGHT, bits, color, method, 0, laced)
    palette = chunk(b"PLTE", bytes(768)) if color == 3 else b""
    body = b"".join(chunk(b"IDAT", stream) for stream in streams)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + palette + body + chunk(b"IEND", b"")


def with_filter(row: int, value: int) -> bytes:
    lines = LINES.copy()
    lines[row, 0] = value
    return zlib.compress(lines.tobytes())


def with_dictionary() -> bytes:
    made = zlib.compressobj(zdict=b"abc")
    return made.compress(ROWS) + made.flush()


BEGUN_WRONG = {
    "empty": b"",
    "one byte": STREAM[:1],
    "no method": b"\0\0" + STREAM[2:],
    "no check of the method": STREAM[:1] + b"\0" + STREAM[2:],
    "a window too large": b"\x88\x1c" + STREAM[2:],
    "a dictionary": with_dictionary(),
}
WRONG_BEHIND = {
    "another body": STREAM[:40] + b"\xff" * 8 + STREAM[48:],
    "another sum": STREAM[:-4] + b"abcd",
    "no sum": STREAM[:-4],
    "cut": STREAM[:-90],
    "short of rows": zlib.compress(ROWS[: -3 * WIDTH - 1]),
    "short of a byte": zlib.compress(ROWS[:-1]),
    "a filter in the first row": with_filter(0, 5),
    "a filter in the last row": with_filter(HEIGHT - 1, 255),
}


@pytest.mark.parametrize("name", [*BEGUN_WRONG, *WRONG_BEHIND])
def test_an_upload_is_refused_by_us_alone(name: str, capfd: pytest.CaptureFixture[str]) -> None:
    data = png((BEGUN_WRONG | WRONG_BEHIND)[name])
    for decode in (decode_picture, decode_index_picture):
        with pytest.raises(DataError, match="the PNG cannot be decoded: its data is damaged"):
            decode(bytearray(data), 1 << 20)
    assert capfd.readouterr().err == ""
    assert cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) is None  # nor by it


@pytest.mark.parametrize("name", BEGUN_WRONG)
def test_a_file_whose_stream_does_not_begin_as_one_is_refused_by_us_alone(
    name: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "picture.png"
    path.write_bytes(png(BEGUN_WRONG[name]))
    with pytest.raises(DataError, match="not a readable PNG"):
        read_image(path)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("color", [0, 2, 3, 4, 6])
@pytest.mark.parametrize("laced", [0, 1])
def test_every_form_of_a_whole_one_is_taken(color: int, laced: int) -> None:
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[color]
    for bits in {0: (1, 2, 4, 8, 16), 3: (1, 2, 4, 8)}.get(color, (8, 16)):
        passes = _PASSES if laced else ((0, 0, 1, 1),)
        rows = b"".join(
            bytes(1 + -(-len(range(x, WIDTH, across)) * bits * channels // 8))
            for x, y, across, down in passes
            for _ in range(y, HEIGHT, down)
        )
        form = {"bits": bits, "color": color, "laced": laced}
        whole = png(zlib.compress(rows), **form)
        assert is_whole(whole), bits
        assert cv2.imdecode(np.frombuffer(whole, np.uint8), cv2.IMREAD_COLOR) is not None, bits
        assert not is_whole(png(zlib.compress(rows[:-1]), **form)), bits


def test_what_lies_behind_and_how_it_is_cut_harm_nothing() -> None:
    whole = [STREAM], [zlib.compress(ROWS + bytes(500))], [STREAM + b"behind"]
    cut = [STREAM[:1], b"", STREAM[1:2], STREAM[2:90], STREAM[90:]]
    for streams in (*whole, cut):
        data = png(*streams)
        assert not read_header(data).damaged and is_whole(data)
        assert decode_picture(data, 1 << 20).shape == (HEIGHT, WIDTH, 3)
    # Nor is a stream unpacked that goes on and on.
    assert is_whole(png(zlib.compress(ROWS + bytes(1 << 28), 1)))


@pytest.mark.parametrize("form", [{"bits": 3}, {"color": 5}, {"laced": 2}, {"method": 1}])
def test_forms_that_no_png_has_are_not_whole(form: dict[str, int]) -> None:
    assert not is_whole(png(STREAM, **form))
