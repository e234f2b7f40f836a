"""Processes by their numbers, as ``/proc`` has them."""

from __future__ import annotations

from pathlib import Path


def children(pid: int) -> list[int]:
    """Those that a process started and that it has not waited for, the oldest first."""
    lists = Path(f"/proc/{pid}/task").glob("*/children")
    return sorted((int(child) for path in lists for child in path.read_text().split()), key=_begun)


def engines(pid: int) -> list[int]:
    """The processes of a daemon's networks, the oldest first: a standby is younger."""
    return [child for child in children(pid) if "engine_worker" in command(child)]


def _begun(pid: int) -> tuple[int, int]:
    """Orders them by their start, for numbers begin anew at the highest that is allowed."""
    try:
        words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0, pid
    return int(words[19]), pid


def command(pid: int) -> str:
    """Its command line; empty where it is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return ""
