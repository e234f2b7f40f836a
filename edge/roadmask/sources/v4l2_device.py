"""Which camera is behind a ``/dev/video*`` name, and why one does not open."""

from __future__ import annotations

import errno
import fcntl
import os
import struct
from dataclasses import dataclass
from pathlib import Path

from roadmask.sources.source import FaultCode, SourceError

DEV = Path("/dev")
SYSFS = Path("/sys/class/video4linux")

_QUERYCAP = 0x80685600  # _IOR('V', 0, struct v4l2_capability), 104 bytes
_REQBUFS = 0xC0145608  # _IOWR('V', 8, struct v4l2_requestbuffers), 20 bytes
_CAPTURE = 0x1 | 0x1000  # V4L2_CAP_VIDEO_CAPTURE, and its multi-planar form


@dataclass(frozen=True)
class CameraIdentity:
    """What stays the same when a camera is plugged in again and gets another device name.

    Attributes:
        card: the driver's name for it.
        port: where it is plugged in, e.g. ``1-1.2:1.0``; empty for a virtual camera.
        serial: vendor, product and serial number; empty when it has no serial number.
        index: of the device's several nodes (capture, metadata).
    """

    card: str
    port: str
    serial: str
    index: str

    def matches(self, other: CameraIdentity) -> bool:
        """The same serial number anywhere, or the same camera at the same port."""
        if self.index != other.index:
            return False
        if self.serial or other.serial:
            return self.serial == other.serial
        return (self.card, self.port) == (other.card, other.port)


def identify(device: str) -> CameraIdentity | None:
    """Who is behind a device name, or None when the system does not tell."""
    node = SYSFS / Path(device).resolve().name
    if not node.is_dir():
        return None
    link = node / "device"
    interface = link.resolve() if link.exists() else None
    usb = interface.parent if interface else None
    ids = [_read(usb / name) if usb else "" for name in ("idVendor", "idProduct", "serial")]
    return CameraIdentity(
        card=_read(node / "name"),
        port=interface.name if interface else "",
        serial=":".join(ids) if ids[2] else "",
        index=_read(node / "index"),
    )


def find(wanted: CameraIdentity, first: str) -> str | None:
    """The device name that the camera has now; ``first`` is looked at first."""
    names = [first]
    if SYSFS.is_dir():
        names += sorted(str(DEV / node.name) for node in SYSFS.iterdir())
    for name in names:
        found = identify(name)
        if found is not None and wanted.matches(found):
            return name
    return None


def explain_failure(device: str) -> SourceError:
    """Why OpenCV could not open ``device``: it only says that it could not."""
    try:
        descriptor = os.open(device, os.O_RDWR | os.O_NONBLOCK)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENODEV, errno.ENXIO):
            return SourceError(
                FaultCode.CAMERA_MISSING,
                f"{device} does not exist: plug the camera in, or list them with "
                "v4l2-ctl --list-devices",
            )
        if error.errno == errno.EACCES:
            return SourceError(
                FaultCode.CAMERA_MISSING,
                f"{device} may not be opened by this user: add it to the group video",
            )
        if error.errno == errno.EBUSY:
            return _busy(device)
        return SourceError(FaultCode.CAMERA_LOST, f"{device}: {error.strerror}")
    try:
        return _explain_open(device, descriptor)
    finally:
        os.close(descriptor)


def _explain_open(device: str, descriptor: int) -> SourceError:
    capability = bytearray(104)
    try:
        fcntl.ioctl(descriptor, _QUERYCAP, capability)
    except OSError:
        return SourceError(FaultCode.WRONG_FORMAT, f"{device} is not a V4L2 device")
    (capabilities,) = struct.unpack_from("=I", capability, 88)  # device_caps
    if not capabilities & _CAPTURE:
        return SourceError(
            FaultCode.WRONG_FORMAT,
            f"{device} gives no pictures (a metadata or output node): use the camera's first "
            "node, see v4l2-ctl --list-devices",
        )
    try:
        # One buffer, memory-mapped: refused while another process streams. Closing frees it.
        fcntl.ioctl(descriptor, _REQBUFS, struct.pack("=5I", 1, 1, 1, 0, 0))
    except OSError as error:
        if error.errno == errno.EBUSY:
            return _busy(device)
    return SourceError(
        FaultCode.WRONG_FORMAT, f"{device} opens, but not in a pixel format that OpenCV reads"
    )


def _busy(device: str) -> SourceError:
    return SourceError(
        FaultCode.CAMERA_BUSY,
        f"{device} is used by another process: end it (fuser -v {device} names it)",
    )


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""
