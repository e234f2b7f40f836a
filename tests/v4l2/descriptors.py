"""What the emulated webcam says of itself: USB 2.0 descriptors of a UVC 1.0 camera.

After the USB 2.0 specification, chapter 9.6, and the USB Device Class Definition for Video Devices
1.0, chapter 3. Video goes over a bulk endpoint, as in cheap cameras; one control, brightness.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

VENDOR, PRODUCT = 0x1209, 0x0001  # pid.codes' pair for tests
STRINGS = ("roadmask", "Test webcam")
BULK_IN = 0x81
PACKET_BYTES = 512
PAYLOAD_BYTES = 16384  # what uvcvideo asks for at once
CAMERA_UNIT, PROCESSING_UNIT, OUTPUT_UNIT = 1, 2, 3
CONTROL_INTERFACE, STREAMING_INTERFACE = 0, 1
BRIGHTNESS = (-64, 64, 1, 0)  # lowest, highest, step, default

_VIDEO, _CONTROL, _STREAMING = 0x0E, 1, 2
_INTERFACE_ASSOCIATION, _CONFIGURATION, _INTERFACE, _ENDPOINT, _CS_INTERFACE = 11, 2, 4, 5, 0x24
_YUY2_GUID = bytes.fromhex("5955593200001000800000aa00389b71")
_MJPEG, _MJPEG_FRAME, _PLAIN, _PLAIN_FRAME = 6, 7, 4, 5


@dataclass(frozen=True)
class Mode:
    """A picture format that the camera offers."""

    pixel_format: str  # MJPG or YUYV
    width: int
    height: int
    fps: int

    @property
    def interval(self) -> int:
        """Time between frames, 100 ns."""
        return 10_000_000 // self.fps

    @property
    def frame_bytes(self) -> int:
        """The largest frame."""
        return 2 * self.width * self.height


def device() -> bytes:
    """The device descriptor: class, subclass and protocol of a device with an association."""
    return struct.pack(
        "<BBHBBBBHHHBBBB", 18, 1, 0x0200, 0xEF, 2, 1, 64, VENDOR, PRODUCT, 0x0100, 1, 2, 0, 1
    )


def qualifier() -> bytes:
    """The same for the other speed."""
    return struct.pack("<BBHBBBBBB", 10, 6, 0x0200, 0xEF, 2, 1, 64, 1, 0)


def string(index: int) -> bytes:
    """A string descriptor; 0 lists the languages (US English)."""
    text = b"\x09\x04" if index == 0 else STRINGS[index - 1].encode("utf-16-le")
    return bytes([len(text) + 2, 3]) + text


def configuration(modes: list[Mode]) -> bytes:
    """The configuration with all that belongs to it; mode ``i`` is format ``i + 1``, frame 1."""
    units = _units()
    header = struct.pack("<HHIBB", 0x0100, 13 + len(units), 48_000_000, 1, STREAMING_INTERFACE)
    body = _bytes(_INTERFACE_ASSOCIATION, struct.pack("<6B", 0, 2, _VIDEO, 3, 0, 0))
    body += _interface(CONTROL_INTERFACE, 0, _CONTROL)
    body += _bytes(_CS_INTERFACE, b"\x01" + header) + units
    body += _interface(STREAMING_INTERFACE, 1, _STREAMING)
    body += _formats(modes)
    body += _bytes(_ENDPOINT, struct.pack("<BBHB", BULK_IN, 2, PACKET_BYTES, 0))
    return struct.pack("<BBHBBBBB", 9, _CONFIGURATION, 9 + len(body), 2, 1, 0, 0x80, 50) + body


def probe(format_index: int, mode: Mode) -> bytes:
    """The stream's state as the probe and commit controls give it, 26 bytes."""
    return struct.pack(
        "<HBBIHHHHHII",
        1,
        format_index,
        1,
        mode.interval,
        *(0, 0, 0, 0, 0),
        mode.frame_bytes,
        PAYLOAD_BYTES,
    )


def _bytes(kind: int, body: bytes) -> bytes:
    return bytes([len(body) + 2, kind]) + body


def _interface(number: int, endpoints: int, subclass: int) -> bytes:
    return _bytes(_INTERFACE, struct.pack("<7B", number, 0, endpoints, _VIDEO, subclass, 0, 0))


def _units() -> bytes:
    camera = struct.pack("<BBHBBHHHB", 2, CAMERA_UNIT, 0x0201, 0, 0, 0, 0, 0, 2) + bytes(2)
    processing = struct.pack("<BBBHBHB", 5, PROCESSING_UNIT, CAMERA_UNIT, 0, 2, 0x0001, 0)
    output = struct.pack("<BBHBBB", 3, OUTPUT_UNIT, 0x0101, 0, PROCESSING_UNIT, 0)
    return b"".join(_bytes(_CS_INTERFACE, unit) for unit in (camera, processing, output))


def _formats(modes: list[Mode]) -> bytes:
    body = b""
    for index, mode in enumerate(modes, start=1):
        jpeg = mode.pixel_format == "MJPG"
        if jpeg:
            head = struct.pack("<9B", _MJPEG, index, 1, 1, 1, 0, 0, 0, 0)
        else:
            head = struct.pack("<BBB16s6B", _PLAIN, index, 1, _YUY2_GUID, 16, 1, 0, 0, 0, 0)
        bits = 8 * mode.frame_bytes * mode.fps
        frame = struct.pack(
            "<BBBHHIIIIBI",
            _MJPEG_FRAME if jpeg else _PLAIN_FRAME,
            1,
            0,
            mode.width,
            mode.height,
            bits,
            bits,
            mode.frame_bytes,
            mode.interval,
            1,
            mode.interval,
        )
        body += _bytes(_CS_INTERFACE, head) + _bytes(_CS_INTERFACE, frame)
    count = len(modes)
    total = 13 + count + len(body)
    head = struct.pack("<BBHBBBBBBB", 1, count, total, BULK_IN, 0, OUTPUT_UNIT, 0, 0, 0, 1) + bytes(
        count
    )
    return _bytes(_CS_INTERFACE, head) + body
