"""Read a file that somebody named, which may be a device or a pipe without end or without a writer.

To open a FIFO waits for its other end, to which no signal's handler puts an end.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO

_PART = 1 << 16


def read_bounded(path: str | Path, most: int) -> bytes:
    """A file's bytes; of a device or a pipe without end no more than it may have.

    Raises:
        OSError: it cannot be read, has more than ``most`` bytes, or is a FIFO that nobody writes.
    """
    with open(path, "rb", opener=_at_once) as file:
        facts = os.fstat(file.fileno())
        if facts.st_size > most:
            raise _too_long(path, most)
        # A buffer is made as large as what is asked for, and a device has no size.
        step, room, parts = max(facts.st_size, _PART), most, []
        while part := file.read(min(step, room + 1)):
            parts.append(part)
            room -= len(part)
            if room < 0:
                raise _too_long(path, most)
    if stat.S_ISFIFO(facts.st_mode) and not parts:
        raise OSError(errno.EPIPE, "it is a FIFO that nobody writes", str(path))
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _too_long(path: str | Path, most: int) -> OSError:
    return OSError(errno.EFBIG, f"it has more than {most} bytes", str(path))


def open_regular(path: str | Path) -> BinaryIO:
    """Open a file that is read here and there.

    Raises:
        OSError: it cannot be opened, or is a FIFO, a device or a folder.
    """
    path = Path(path)
    mode = path.stat().st_mode
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):  # which the next line refuses
        raise OSError(errno.EINVAL, "it is no regular file", str(path))
    return path.open("rb")


def _at_once(path: str, flags: int) -> int:
    descriptor = os.open(path, flags | os.O_NONBLOCK)
    os.set_blocking(descriptor, True)
    return descriptor
