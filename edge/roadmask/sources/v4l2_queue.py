"""The sequence number that the driver gives each frame, and OpenCV keeps to itself.

OpenCV keeps the camera's descriptor to itself. It is a descriptor of this process, though, so it is
found in ``/proc/self/fd``, and the driver asked on it about the buffer that OpenCV holds
(VIDIOC_QUERYBUF changes nothing). Another descriptor would not do: ``uvcvideo`` answers its owner.
"""

from __future__ import annotations

import fcntl
import os
import struct
from pathlib import Path

# struct v4l2_buffer of a 64-bit kernel: index, type, bytesused, flags, field, time, timecode,
# sequence, memory, offset, length, two that are reserved.
_BUFFER = struct.Struct("=5I4xqq16sIIQIII4x")
_QUERYBUF = 0xC0585609  # _IOWR('V', 9, struct v4l2_buffer)
_CAPTURE = 1
_MAX_BUFFERS = 10  # OpenCV's


class DriverQueue:
    """Asks the driver about the buffers of an open camera.

    Args:
        device: its path. Without a descriptor of this process on it there are no answers.
    """

    def __init__(self, device: str) -> None:
        self._descriptor = _own_descriptor(device)
        self._next = 0  # the buffers go round

    def sequence(self, stamp_ms: float) -> int | None:
        """Of the frame with this time stamp: the driver's count, frames that it lost included.

        None when the driver does not tell.
        """
        if self._descriptor is None:
            return None
        stamp_us = round(stamp_ms * 1000)
        for offset in range(_MAX_BUFFERS):
            index = (self._next + offset) % _MAX_BUFFERS
            query = bytearray(_BUFFER.size)
            struct.pack_into("=II", query, 0, index, _CAPTURE)
            try:
                fcntl.ioctl(self._descriptor, _QUERYBUF, query)
            except OSError:
                if index == 0:
                    self._descriptor = None  # closed, or a driver of several planes
                    return None
                continue  # above the last one
            _, _, _, _, _, seconds, microseconds, _, sequence, *_ = _BUFFER.unpack(query)
            if abs(1_000_000 * seconds + microseconds - stamp_us) <= 1:
                self._next = index + 1
                return int(sequence)
        return None


def _own_descriptor(device: str) -> int | None:
    if struct.calcsize("P") != 8:
        return None  # another layout, and no board of today
    try:
        wanted = Path(device).stat().st_rdev
        names = os.listdir("/proc/self/fd")  # noqa: PTH208 - names are what is needed
    except OSError:
        return None
    found = None
    for name in names:
        try:
            if wanted and os.fstat(int(name)).st_rdev == wanted:
                found = max(found or 0, int(name))  # the newest, should there be several
        except OSError:  # closed meanwhile, as the listing's own
            continue
    return found
