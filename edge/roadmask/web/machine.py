"""What this machine tells about itself: its temperature, and who holds the daemon's socket."""

from __future__ import annotations

from pathlib import Path

_THERMAL = Path("/sys/class/thermal")
_UNIX_SOCKETS = Path("/proc/net/unix")
_CONNECTED = "03"  # SS_CONNECTED


def temperature_c(folder: Path = _THERMAL) -> float | None:
    """The hottest thermal zone, in degrees Celsius; None where there is none."""
    found = []
    for file in folder.glob("thermal_zone*/temp"):
        try:
            found.append(int(file.read_text()) / 1000)
        except (OSError, ValueError):  # a zone may refuse to be read
            continue
    plausible = [value for value in found if -50 < value < 150]
    return max(plausible, default=None)


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
