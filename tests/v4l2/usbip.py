"""The device's side of USB/IP, over a socket that the kernel's ``vhci_hcd`` has the other end of.

After the kernel's Documentation/usb/usbip_protocol.rst. Big-endian headers of 48 bytes.
"""

from __future__ import annotations

import socket
import struct
import threading
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

_VHCI = Path("/sys/devices/platform/vhci_hcd.0")
_HEADER = struct.Struct(">5I")
_SUBMIT = struct.Struct(">Iiiii8s")
_CMD_SUBMIT, _CMD_UNLINK, _RET_SUBMIT, _RET_UNLINK = 1, 2, 3, 4
_IN = 1
_DEVICE_ID, _HIGH_SPEED = 0x00010002, 3
_STALLED, _UNLINKED = -32, -104  # -EPIPE, -ECONNRESET

Control = Callable[[bytes, bytes], bytes | None]


class _Urb(NamedTuple):
    sequence: int
    length: int


class UsbDevice:
    """A device plugged into port 0 of the virtual host controller.

    Args:
        control: answers a control request from its 8 bytes of set-up and the data that came
            with it; None refuses it.
    """

    def __init__(self, control: Control) -> None:
        self._control = control
        self._change = threading.Condition()  # guards all below, and writes to the socket
        self._waiting: deque[_Urb] = deque()  # reads of the bulk endpoint
        self._socket, kernels = socket.socketpair()
        (_VHCI / "attach").write_text(f"0 {kernels.fileno()} {_DEVICE_ID} {_HIGH_SPEED}")
        kernels.close()  # the driver holds its own reference
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def unplug(self) -> None:
        """Pull it out; its port is free again when this returns."""
        (_VHCI / "detach").write_text("0")
        self._socket.close()
        with self._change:
            self._waiting.clear()
            self._change.notify_all()

    @property
    def streaming(self) -> bool:
        """The driver waits for data."""
        return bool(self._waiting)

    def send(self, payload: bytes, timeout_s: float = 0.5) -> bool:
        """Answer the oldest bulk read; False when there is none in time."""
        with self._change:
            if not self._change.wait_for(lambda: self._waiting, timeout_s):
                return False
            urb = self._waiting.popleft()
            return self._answer(urb.sequence, 0, payload[: urb.length])

    def _serve(self) -> None:
        try:
            while True:
                kind, sequence, _, direction, endpoint = _HEADER.unpack(self._read(_HEADER.size))
                rest = _SUBMIT.unpack(self._read(_SUBMIT.size))
                if kind == _CMD_UNLINK:
                    self._unlink(sequence, rest[0])
                elif kind == _CMD_SUBMIT:
                    self._submit(sequence, direction, endpoint, rest[1], rest[5])
        except (EOFError, OSError):
            return  # unplugged

    def _submit(
        self, sequence: int, direction: int, endpoint: int, length: int, setup: bytes
    ) -> None:
        data = self._read(length) if direction != _IN else b""
        if endpoint:
            with self._change:
                self._waiting.append(_Urb(sequence, length))
                self._change.notify_all()
            return
        answer = self._control(setup, data)
        with self._change:
            if answer is None:
                self._answer(sequence, _STALLED, b"")
            elif direction == _IN:
                self._answer(sequence, 0, answer[:length])
            else:
                self._answer(sequence, 0, b"", len(data))

    def _unlink(self, sequence: int, target: int) -> None:
        with self._change:
            found = [urb for urb in self._waiting if urb.sequence == target]
            for urb in found:
                self._waiting.remove(urb)
            status = _UNLINKED if found else 0
            head = _HEADER.pack(_RET_UNLINK, sequence, 0, 0, 0)
            self._socket.sendall(head + struct.pack(">i24x", status))

    def _answer(self, sequence: int, status: int, data: bytes, taken: int | None = None) -> bool:
        length = len(data) if taken is None else taken
        head = _HEADER.pack(_RET_SUBMIT, sequence, 0, 0, 0)
        try:
            self._socket.sendall(head + struct.pack(">iiiii8x", status, length, 0, 0, 0) + data)
        except OSError:
            return False
        return True

    def _read(self, size: int) -> bytes:
        data = bytearray()
        while len(data) < size:
            part = self._socket.recv(size - len(data))
            if not part:
                raise EOFError
            data += part
        return bytes(data)
