"""An emulated USB webcam that does what it is told: ``python webcam.py FOLDER FPS``.

FOLDER holds the frames, ``mjpeg/*`` and ``yuyv/*``, each a file of one frame's bytes. Each line of
standard input is a command and is answered by the same line:

    ok         stream the frames in no order: who takes every n-th sees no period
    few        the same with the first frames alone
    repeat     stream one frame again and again
    black      stream black frames (YUYV)
    truncated  cut each frame in half
    garbage    stream bytes that are no picture
    stall      stream nothing
    lose       leave out the next three frames
    plug, unplug
"""

from __future__ import annotations

import os
import random
import sys
import threading
import time
from pathlib import Path

import descriptors
from descriptors import Mode
from usbip import UsbDevice

SIZES = {"MJPG": (1280, 720), "YUYV": (640, 360)}
_CLEAR_FEATURE, _SET_ADDRESS, _GET_DESCRIPTOR, _SET_CONFIGURATION, _SET_INTERFACE = 1, 5, 6, 9, 11
_GET_STATUS = 0
_SET_CUR, _GET_CUR, _GET_MIN, _GET_MAX, _GET_RES, _GET_LEN, _GET_INFO, _GET_DEF = (
    0x01,
    *range(0x81, 0x88),
)
_FEW = 12
_LATE_S = 0.2  # a camera that is so far behind starts its clock anew


class Webcam:
    """The camera's own behaviour; the frames go out in a thread."""

    def __init__(self, folder: Path, fps: int) -> None:
        self._modes = [Mode(name, *SIZES[name], fps) for name in SIZES]
        self._frames = [
            [path.read_bytes() for path in sorted((folder / kind).iterdir())]
            for kind in ("mjpeg", "yuyv")
        ]
        self._format = 0
        self._brightness = descriptors.BRIGHTNESS[3]
        self._device: UsbDevice | None = None
        self._lose = 0
        self.state = "ok"
        threading.Thread(target=self._stream, daemon=True).start()

    def command(self, name: str) -> None:
        """Do what a line of standard input says."""
        if name == "plug":
            self._device = UsbDevice(self._control)
        elif name == "unplug":
            device, self._device = self._device, None
            if device is not None:
                device.unplug()
        elif name == "lose":
            self._lose = 3
        else:
            self.state = name

    def _control(self, setup: bytes, data: bytes) -> bytes | None:
        kind, request = setup[0], setup[1]
        value, index = int.from_bytes(setup[2:4], "little"), int.from_bytes(setup[4:6], "little")
        if kind & 0x60 == 0:
            return self._standard(request, value)
        if kind & 0x60 != 0x20:
            return None
        if index & 0xFF == descriptors.STREAMING_INTERFACE and value >> 8 in (1, 2):
            return self._negotiate(request, data)
        if index == descriptors.PROCESSING_UNIT << 8 and value >> 8 == 2:
            return self._set_brightness(request, data)
        return None

    def _standard(self, request: int, value: int) -> bytes | None:
        if request == _GET_DESCRIPTOR:
            kind, index = value >> 8, value & 0xFF
            if kind == 3 and index > len(descriptors.STRINGS):
                return None
            answers = {
                1: descriptors.device,
                2: lambda: descriptors.configuration(self._modes),
                3: lambda: descriptors.string(index),
                6: descriptors.qualifier,
            }
            return answers[kind]() if kind in answers else None
        if request == _GET_STATUS:
            return bytes(2)
        known = (_CLEAR_FEATURE, _SET_ADDRESS, _SET_CONFIGURATION, _SET_INTERFACE)
        return b"" if request in known else None

    def _negotiate(self, request: int, data: bytes) -> bytes | None:
        if request == _SET_CUR:
            self._format = min(max(data[2], 1), len(self._modes)) - 1
            return b""
        if request == _GET_LEN:
            return (26).to_bytes(2, "little")
        if request == _GET_INFO:
            return b"\x03"
        return descriptors.probe(self._format + 1, self._modes[self._format])

    def _set_brightness(self, request: int, data: bytes) -> bytes | None:
        low, high, step, default = descriptors.BRIGHTNESS
        if request == _SET_CUR:
            self._brightness = int.from_bytes(data, "little", signed=True)
            return b""
        if request == _GET_INFO:
            return b"\x03"
        if request == _GET_LEN:
            return (2).to_bytes(2, "little")
        values = {
            _GET_CUR: self._brightness,
            _GET_MIN: low,
            _GET_MAX: high,
            _GET_RES: step,
            _GET_DEF: default,
        }
        return values[request].to_bytes(2, "little", signed=True) if request in values else None

    def _stream(self) -> None:
        order = random.Random(1)
        drawn, toggle, due_s = 0, 0, time.monotonic()
        while True:
            mode = self._modes[self._format]
            due_s = max(due_s + 1 / mode.fps, time.monotonic() - _LATE_S)
            time.sleep(max(0.0, due_s - time.monotonic()))
            device = self._device
            if device is None or not device.streaming or self.state == "stall":
                continue
            toggle ^= 1
            if self.state != "repeat":
                drawn = order.randrange(1 << 16)
            if self._lose:  # the counter in each payload's header goes on without them
                self._lose -= 1
                if not device.send(bytes([2, 0x82 | toggle])):  # an empty frame
                    continue
                continue
            self._send(device, self._frame(drawn), toggle)

    def _frame(self, drawn: int) -> bytes:
        frames = self._frames[self._format]
        frame = frames[drawn % (_FEW if self.state == "few" else len(frames))]
        if self.state == "truncated":
            return frame[: len(frame) // 2]
        if self.state == "garbage":
            return os.urandom(len(frame))
        if self.state == "black" and self._format == 1:
            return b"\x10\x80" * (len(frame) // 2)
        return frame

    def _send(self, device: UsbDevice, frame: bytes, toggle: int) -> None:
        """In payloads, each with a header of two bytes: toggle, end of frame, end of header."""
        step = descriptors.PAYLOAD_BYTES - 2
        for at in range(0, len(frame), step):
            last = at + step >= len(frame)
            header = bytes([2, 0x80 | toggle | (2 if last else 0)])
            if not device.send(header + frame[at : at + step]):
                return


def main() -> None:
    """Obey until the end of standard input."""
    camera = Webcam(Path(sys.argv[1]), int(sys.argv[2]))
    for line in sys.stdin:
        camera.command(line.strip())
        print(line.strip(), flush=True)


if __name__ == "__main__":
    main()
