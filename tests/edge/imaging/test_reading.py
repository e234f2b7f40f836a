"""Every reader takes a picture or mask for what it is, or refuses it by its true name."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest

from roadmask.arrays import U8
from roadmask.errors import DataError
from roadmask.imaging.headers import read_header
from roadmask.imaging.jpeg import MAX_SCANS, jpeg_header
from roadmask.imaging.reading import picture_files, pictures_under, read_image, read_mask
from roadmask.sources import open_source

IDS = np.arange(12, dtype=np.uint8).repeat(4).reshape(4, 12) % 4
PICTURE: U8 = np.random.default_rng(1).integers(0, 256, (24, 32, 3)).astype(np.uint8)
EXIF_HALF_TURN = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x03\0\0\0\0\0\0"


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(ids: U8, bits: int, color: int, palette: bytes = b"") -> bytes:
    """Samples of ``bits`` bits, packed as the standard says, without a filter."""
    rows = []
    for row in ids.reshape(len(ids), -1):
        text = "".join(f"{value:0{bits}b}" for value in row)
        packed = int(text, 2) << -len(text) % 8
        rows.append(b"\0" + packed.to_bytes(-(-len(text) // 8), "big"))
    head = struct.pack(">IIBBBBB", ids.shape[1], ids.shape[0], bits, color, 0, 0, 0)
    body = chunk(b"PLTE", palette) if palette else b""
    body += chunk(b"IDAT", zlib.compress(b"".join(rows)))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + body + chunk(b"IEND", b"")


VOC = bytes((0, 0, 0, 128, 0, 0, 0, 128, 0, 128, 128, 0))  # the first colours of PASCAL VOC's


@pytest.mark.parametrize("bits", [2, 4, 8])
def test_the_places_of_a_palette_are_the_ids(bits: int, tmp_path: Path) -> None:
    path = tmp_path / "mask.png"
    path.write_bytes(png(IDS, bits, 3, VOC))
    np.testing.assert_array_equal(read_mask(path), IDS)


def test_a_palette_of_one_bit(tmp_path: Path) -> None:
    path = tmp_path / "mask.png"
    path.write_bytes(png(IDS % 2, 1, 3, VOC[:6]))
    np.testing.assert_array_equal(read_mask(path), IDS % 2)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (png(IDS % 2, 1, 0), "1-bit greyscale PNG"),
        (png(IDS, 4, 0), "4-bit greyscale PNG"),
        (png(IDS, 16, 0), "16-bit greyscale PNG"),
        (png(np.repeat(IDS, 2, 1).reshape(4, -1)[:, :24], 8, 0)[:25] + b"\x04", "truncated"),
        (png(IDS, 8, 3, bytes((0, 0, 0, 7, 7, 7, 11, 11, 11, 26, 26, 26))), "palette PNG of greys"),
        (cv2.imencode(".png", PICTURE)[1].tobytes(), "8-bit RGB PNG"),
        (cv2.imencode(".png", np.dstack([PICTURE, PICTURE[..., 0]]))[1].tobytes(), "RGBA PNG"),
        (cv2.imencode(".jpg", IDS)[1].tobytes(), "no PNG"),
    ],
)
def test_what_may_be_no_ids_is_refused_by_its_name(data: bytes, words: str, tmp_path: Path) -> None:
    path = tmp_path / "mask.png"
    path.write_bytes(data)
    with pytest.raises(DataError, match=words) as caught:
        read_mask(path)
    assert "mask.png" in str(caught.value) and "\n" not in str(caught.value)


def test_exif_turns_nothing(tmp_path: Path) -> None:
    data = cv2.imencode(".jpg", PICTURE)[1].tobytes()
    block = b"\xff\xe1" + struct.pack(">H", len(EXIF_HALF_TURN) + 2) + EXIF_HALF_TURN
    turned = data[:2] + block + data[2:]
    plain = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    trap = cv2.imdecode(np.frombuffer(turned, np.uint8), cv2.IMREAD_COLOR)
    np.testing.assert_array_equal(trap, plain[::-1, ::-1])  # so the file does say it
    (tmp_path / "a.jpg").write_bytes(turned)
    np.testing.assert_array_equal(read_image(tmp_path / "a.jpg"), plain)


@pytest.mark.parametrize(("bits", "unit"), [(12, 16), (16, 257)])
def test_twelve_bits_in_sixteen_are_not_black(bits: int, unit: int, tmp_path: Path) -> None:
    wide = PICTURE.astype(np.uint16) * unit
    assert wide.max() < 2**bits
    cv2.imwrite(str(tmp_path / "a.png"), wide)
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), PICTURE)


def test_hidden_files_are_no_pictures(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), PICTURE)
    for name in ("._a.png", ".b.png"):
        (tmp_path / name).write_bytes(b"x")
    assert [p.name for p in picture_files(tmp_path)] == ["a.png"]
    for name in ("below/a.png", "below/._a.png", ".trash/a.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    assert pictures_under(tmp_path) == [tmp_path / "a.png", tmp_path / "below/a.png"]
    with open_source(f"{tmp_path}?realtime=0") as source:
        assert len(list(source)) == 1


def progressive(scans: int) -> bytes:
    """A JPEG with so many scans; those added are empty: they say nothing about any block."""
    data = cv2.imencode(".jpg", PICTURE, (cv2.IMWRITE_JPEG_PROGRESSIVE, 1))[1].tobytes()
    at = data.rfind(b"\xff\xda")
    more = scans - data.count(b"\xff\xda")
    return data[:-2] + data[at : at + 2 + data[at + 3]] * more + data[-2:]


def test_scans_are_limited(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(progressive(MAX_SCANS))
    assert read_image(path).shape == PICTURE.shape
    path.write_bytes(progressive(MAX_SCANS + 1))
    with pytest.raises(DataError, match=f"{MAX_SCANS + 1} scans"):
        read_image(path)


def test_a_jpeg_may_have_what_decoders_pass_over(tmp_path: Path) -> None:
    data = cv2.imencode(".jpg", PICTURE)[1].tobytes()
    plain = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    table = data.index(b"\xff\xdb")
    for name, between in (("fill", b"\xff" * 5), ("restart", b"\xff\xd0"), ("garbage", b"\0\1\2")):
        odd = data[:table] + between + data[table:]
        np.testing.assert_array_equal(
            cv2.imdecode(np.frombuffer(odd, np.uint8), cv2.IMREAD_COLOR), plain
        )
        header = jpeg_header(odd)
        assert header is not None and (header.width, header.height) == (32, 24), name
        (tmp_path / "a.jpg").write_bytes(odd)
        np.testing.assert_array_equal(read_image(tmp_path / "a.jpg"), plain)


def overwritten(data: bytes, kind: bytes) -> bytes:
    """The same with a byte of that chunk's content turned round, as a bad sector leaves it."""
    at = data.index(kind) + 4 + 4
    return data[:at] + bytes([data[at] ^ 0xFF]) + data[at + 1 :]


@pytest.mark.parametrize("kind", [b"IDAT", b"PLTE", b"IHDR"])
def test_a_damaged_png_is_one_line_of_ours_and_none_of_libpng(
    kind: bytes, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    data = png(IDS, 8, 3, VOC)
    path = tmp_path / "mask.png"
    path.write_bytes(overwritten(data, kind))
    for read in (read_mask, read_image):
        with pytest.raises(DataError, match="not a readable PNG"):
            read(path)
    assert capfd.readouterr().err == ""


def test_a_damaged_note_in_a_png_harms_nothing(tmp_path: Path) -> None:
    whole = cv2.imencode(".png", PICTURE)[1].tobytes()
    noted = whole[:33] + overwritten(chunk(b"tEXt", b"Comment\0none"), b"tEXt") + whole[33:]
    path = tmp_path / "picture.png"
    path.write_bytes(noted)
    np.testing.assert_array_equal(read_image(path), PICTURE)


def test_an_uploads_memory_is_read_as_a_files_and_let_go() -> None:
    """Uploads come as bytearrays, and are emptied when their request is over."""
    whole = png(IDS, 8, 3, VOC)
    for data, damaged in ((whole, False), (overwritten(whole, b"IDAT"), True)):
        upload = bytearray(data)
        assert read_header(upload) == read_header(data)
        assert read_header(upload).damaged is damaged
        upload.clear()
