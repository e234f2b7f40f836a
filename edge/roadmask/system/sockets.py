"""Who is connected to a Unix socket."""

from __future__ import annotations

from pathlib import Path


def count_subscribers(socket: str, table: Path = Path("/proc/net/unix")) -> int | None:
    """Connections to the socket, this reader's included; None for a stream of another machine."""
    try:
        lines = table.read_text(errors="replace").splitlines()
        path = str(Path(socket).resolve())
    except OSError:
        return None
    # The publisher's ends of the connections carry its path: state 03, connected.
    rows = [line.split(maxsplit=7) for line in lines[1:]]
    found = [row for row in rows if len(row) == 8 and row[7] == path]
    return sum(row[5] == "03" for row in found) if found else None


_UNIX_SOCKETS = Path("/proc/net/unix")


_CONNECTED = "03"  # SS_CONNECTED


def subscribers(socket_path: str, table: Path = _UNIX_SOCKETS) -> int | None:
    """Connections that the publisher at ``socket_path`` has accepted; None if it is not known.

    The kernel lists an accepted socket under the path of the one that listened. The path must be
    spelled as the publisher spelled it.
    """
    try:
        lines = table.read_text().splitlines()[1:]
    except OSError:
        return None
    rows = [line.split(maxsplit=7) for line in lines]
    states = [row[5] for row in rows if len(row) == 8 and row[7] == socket_path]
    return states.count(_CONNECTED) if states else None  # none: it lives in another namespace
