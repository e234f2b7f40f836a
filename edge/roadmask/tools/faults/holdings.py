"""What a daemon holds, so that what a fault left behind shows: descriptors, threads, processes."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

from roadmask.tools.faults.processes import children

_NUMBER = re.compile(r"\d+")


def holdings(pid: int) -> Counter[str]:
    """How many of each kind of descriptor, and of threads and child processes."""
    held: Counter[str] = Counter()
    try:
        for link in Path(f"/proc/{pid}/fd").iterdir():
            # Of the target, without what differs from one to the next.
            held[f"descriptor {_NUMBER.sub('', str(link.readlink()))}"] += 1
        held["thread"] = len(list(Path(f"/proc/{pid}/task").iterdir()))
    except OSError:  # a descriptor that was closed, or it ended: the next look tells
        return Counter({"ended": 1})
    held["process"] = len(children(pid))
    return held


def more_than(before: Counter[str], now: Counter[str]) -> str:
    """What there is more of, in words; empty for nothing."""
    return ", ".join(f"{count} x {kind.strip()}" for kind, count in sorted((now - before).items()))


def shared_memory() -> set[str]:
    """Files of ours that outlive whoever made them."""
    return {path.name for path in Path("/dev/shm").glob("*roadmask*")}
