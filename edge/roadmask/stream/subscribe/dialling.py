"""A socket connected to a publisher's path, or why there is none."""

from __future__ import annotations

import errno
import os
import socket
from pathlib import Path

from roadmask._native import unusable_path
from roadmask.errors import Check, ProtocolError
from roadmask.stream.modes import NoMask

_MOST_PATH_BYTES = 107


def dial(path: str) -> socket.socket:
    """A connected SEQPACKET socket that never blocks.

    Raises:
        ProtocolError: ``socket``: the path can be no socket of ours.
        OSError: nobody listens there; see ``refusal``.
    """
    _check_path(path)
    connecting = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    try:
        connecting.setblocking(False)
        connecting.connect(path)
    except OSError:
        connecting.close()
        raise
    return connecting


def refusal(path: str, error: OSError) -> tuple[NoMask, str, ProtocolError | None]:
    """What ``dial`` met: the reason, what is known of it, and what is wrong with the peer."""
    detail = error.strerror or str(error)
    if isinstance(error, PermissionError):
        return NoMask.NOT_PERMITTED, detail, None
    if isinstance(error, BlockingIOError):  # its queue is full of connections
        return NoMask.SILENT, "it accepts nobody", None
    if error.errno == errno.EPROTOTYPE:
        wrong = ProtocolError(Check.SOCKET, f"{path} is a socket of another type, not SEQPACKET")
        return NoMask.MALFORMED, str(wrong), wrong
    if isinstance(error, ConnectionRefusedError):
        detail = _what_lies_at(path) or detail
    return NoMask.NOT_CONNECTED, detail, None


def _check_path(path: str) -> None:
    encoded = os.fsencode(path)
    if wrong := unusable_path(encoded):
        raise ProtocolError(Check.SOCKET, wrong)
    if (size := len(encoded)) > _MOST_PATH_BYTES:
        raise OSError(
            errno.ENAMETOOLONG, f"a path of {size} bytes, a socket's has at most {_MOST_PATH_BYTES}"
        )


def _what_lies_at(path: str) -> str:
    if Path(path).is_dir():
        return "it is a folder, not a socket"
    return "it is a file, not a socket" if Path(path).is_file() else ""
