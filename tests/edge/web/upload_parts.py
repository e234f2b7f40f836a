"""Files that the tests of uploads share: whole ones, odd ones, and what is none."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Any

import cv2
import httpx
from web_parts import encoded, town_picture

PICTURE = town_picture()
GREY = cv2.cvtColor(PICTURE, cv2.COLOR_BGR2GRAY)


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


def peak_mib(pid: int) -> float:
    """The most memory that a process ever had."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


JPEG = encoded(PICTURE, ".jpg")
HUGE_JPEG = JPEG.replace(struct.pack(">HH", 180, 320), struct.pack(">HH", 65_000, 65_000), 1)
