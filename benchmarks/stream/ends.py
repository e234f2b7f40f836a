"""The processes of a measurement: ``python -m benchmarks.stream.ends publish|read …``.

The publisher sends warm-up frames (id 0) until its standard input says so, then the measured ones
(id 1), then the last (id 2) until its input closes. A reader prints ``ready`` at its first frame,
and one JSON object after the last.
"""

from __future__ import annotations

import json
import resource
import select
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.stream.transports import RECEIVERS, SENDERS
from roadmask.system.clock import now_ns

WARM_UP, MEASURED, LAST = 0, 1, 2


def publish(transport: str, path: str, width: int, height: int, rate_hz: int, frames: int) -> None:
    """Send at ``rate_hz``; prints publish times (µs) and the CPU time per frame (µs)."""
    period_ns = round(1e9 / rate_hz)
    times_us: list[float] = []
    with SENDERS[transport](Path(path), (width, height), period_ns) as sender:
        print("up", flush=True)
        phase, next_ns, cpu_us, value = WARM_UP, now_ns(), 0.0, 0
        while True:
            value = (value + 1) % 7
            sender.begin()[:] = value
            ready_ns = now_ns()
            sender.send(ready_ns, phase)
            if phase == MEASURED:
                times_us.append((now_ns() - ready_ns) / 1e3)
            if phase == MEASURED and len(times_us) == frames:
                cpu_us = (_cpu_us() - cpu_us) / frames
                print(json.dumps({"publish_us": times_us, "cpu_us": cpu_us}), flush=True)
                phase = LAST
            if phase != MEASURED and select.select([sys.stdin], [], [], 0)[0]:
                if not sys.stdin.readline():
                    return
                phase, cpu_us = MEASURED, _cpu_us()
            next_ns = max(next_ns + period_ns, now_ns())
            time.sleep(max(0, next_ns - now_ns()) / 1e9)


def read(transport: str, path: str) -> None:
    """Read until the last frame; prints latencies (µs) and the CPU time per frame (µs)."""
    latencies_us: list[float] = []
    cpu_us = 0.0
    ready = False
    with RECEIVERS[transport](Path(path)) as receiver:
        while True:
            received = receiver.receive()
            done_ns = now_ns()
            if received is None:
                continue
            ready_ns, frame_id, _ = received
            if not ready:
                ready = True
                print("ready", flush=True)
            if frame_id == MEASURED:
                if not latencies_us:
                    cpu_us = _cpu_us()
                latencies_us.append((done_ns - ready_ns) / 1e3)
            elif frame_id == LAST:
                break
        spent_us = (_cpu_us() - cpu_us) / max(len(latencies_us), 1)
    print(json.dumps({"latency_us": latencies_us, "cpu_us": spent_us}), flush=True)


def _cpu_us() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return (usage.ru_utime + usage.ru_stime) * 1e6


def main(arguments: list[str]) -> None:
    """Entry point of either process."""
    role, transport, path, *numbers = arguments
    ends: dict[str, Any] = {"publish": publish, "read": read}
    ends[role](transport, path, *map(int, numbers))


if __name__ == "__main__":
    main(sys.argv[1:])
