"""Who is connected to a Unix socket."""

from __future__ import annotations

import os
from pathlib import Path

_CONNECTED = "03"  # SS_CONNECTED


def count_subscribers(socket: str | Path, table: Path = Path("/proc/net/unix")) -> int | None:
    """Connections that the publisher at ``socket`` has accepted, this reader's included.

    The kernel lists an accepted socket under the path of the one that listened, spelled as the
    publisher spelled it: relative, or through a link. An absolute path is compared by the file
    that it leads to; of a relative one, which starts in a folder that nobody names, the end.

    Returns:
        None for a stream of another machine or namespace.
    """
    try:
        lines = table.read_text(errors="replace").splitlines()[1:]
    except OSError:
        return None
    own = os.path.realpath(socket)
    rows = [line.split(maxsplit=7) for line in lines]
    states = [row[5] for row in rows if len(row) == 8 and _leads_to(row[7], own)]
    return states.count(_CONNECTED) if states else None


def _leads_to(listed: str, own: str) -> bool:
    if listed.startswith("@"):  # abstract: no file
        return False
    if os.path.realpath(listed) == own:
        return True
    return not listed.startswith("/") and own.endswith(os.path.normpath(f"/{listed}"))
