"""``python -m benchmarks.viewers``: what the console's live page costs the daemon.

The daemon runs all the time; rounds without a viewer and rounds with some alternate. A viewer
takes frames as a page does: it acknowledges each one that it got.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from benchmarks.daemon.process import finish, roadmask_run, start, wait_for_first_mask
from benchmarks.results import number, table
from roadmask.errors import ConfigError
from roadmask.stream.subscribe.policy import TAKE_EVERYTHING
from roadmask.stream.subscribe.subscriber import Subscriber
from roadmask.system.command_line import (
    EXIT_DONE,
    Parser,
    entry_point,
    run_command,
    unwind_on_sigterm,
)
from roadmask.system.files import check_writable, write_json
from roadmask.system.hardware import read_device
from roadmask.system.percentiles import percentiles
from roadmask.system.ranges import at_least, between

_SOURCE = "synthetic:town?seed=1&width=1280&height=720&prerender=64"
_SETTLE_S = 1.0  # after viewers came or went
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass
class Seen:
    """What was measured in the rounds of one kind."""

    seconds: float = 0.0
    latency_ms: list[float] = field(default_factory=list)
    infer_ms: list[float] = field(default_factory=list)
    daemon_cpu_s: float = 0.0
    server_cpu_s: float = 0.0
    viewer_frames: int = 0

    def result(self, viewers: int) -> dict[str, Any]:
        """The numbers of these rounds; CPU in per cent of one core."""
        seen = round(self.viewer_frames / self.seconds / viewers, 2) if viewers else None
        return {
            "viewers": viewers,
            "fps": round(len(self.latency_ms) / self.seconds, 2),
            "frame_to_mask_ms": percentiles(self.latency_ms),
            "invoke_ms": percentiles(self.infer_ms),
            "daemon_cpu": round(100 * self.daemon_cpu_s / self.seconds, 1),
            "server_cpu": round(100 * self.server_cpu_s / self.seconds, 1),
            "viewer_fps": seen,
        }


def measure(
    viewers: int, seconds: float, rounds: int, fps: float, source: str = _SOURCE
) -> dict[str, Any]:
    """Alternate rounds without and with ``viewers``.

    Raises:
        ConfigError: daemon or server did not start.
    """
    seen = {0: Seen(), viewers: Seen()}
    with tempfile.TemporaryDirectory(prefix="roadmask-") as folder, ExitStack() as stack:
        socket = Path(folder) / "masks.sock"
        source = f"{source}&fps={fps:g}"
        daemon = stack.enter_context(start(roadmask_run(["--source", source, "--preview"], socket)))
        stack.callback(daemon.terminate)
        wait_for_first_mask(socket, daemon)
        serve = [sys.executable, "-m", "roadmask", "serve", "--port", "0", "--socket", str(socket)]
        server = stack.enter_context(start(serve))
        stack.callback(server.terminate)
        assert server.stderr is not None
        line = server.stderr.readline()
        if "http://" not in line:
            finish(server)
            raise ConfigError(f"roadmask serve said: {line.strip()}")
        live = f"ws://{line.split('//')[1].split('/')[0]}/live"
        for _ in range(rounds):
            for count, record in seen.items():
                with _looking(live, count) as got:
                    time.sleep(_SETTLE_S)
                    window = _watch(socket, seconds, (daemon.pid, server.pid), record)
                record.viewer_frames += sum(sequence in window for sequence in got)
    return {
        "rounds": rounds,
        "seconds": seconds,
        "source": source,
        "results": [record.result(count) for count, record in seen.items()],
        "device": read_device().to_json(),
    }


def _watch(socket: Path, seconds: float, pids: tuple[int, int], record: Seen) -> range:
    """Look on for some seconds; the sequence numbers that the daemon published meanwhile."""
    before = [_cpu_s(pid) for pid in pids]
    first = last = 0
    started = time.monotonic()
    with Subscriber(socket, **TAKE_EVERYTHING) as subscriber:
        while time.monotonic() - started < seconds:
            mask = subscriber.receive(timeout_s=0.1)
            if mask is not None:
                first, last = first or mask.sequence, mask.sequence
                elapsed_ns = mask.publish_timestamp_ns - mask.capture_timestamp_ns
                record.latency_ms.append(elapsed_ns / 1e6)
                record.infer_ms.append(mask.infer_us / 1e3)
    record.seconds += time.monotonic() - started
    daemon_s, server_s = (_cpu_s(pid) - used for pid, used in zip(pids, before, strict=True))
    record.daemon_cpu_s += daemon_s
    record.server_cpu_s += server_s
    return range(first, last + 1)


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


@contextmanager
def _looking(live: str, count: int) -> Iterator[list[int]]:
    """``count`` viewers in a process of their own.

    Yields:
        The sequence numbers of the frames that they got; filled when the block ends.
    """
    got: list[int] = []
    if not count:
        yield got
        return
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=_look, args=(live, count, there), daemon=True)
    process.start()
    there.close()
    try:
        here.recv()  # the first frame is there
        yield got
        here.send("stop")
        got += here.recv()
    except EOFError:
        raise ConfigError(f"the viewers of {live} died: see above") from None
    finally:
        process.terminate()
        process.join()


def _look(live: str, count: int, parent: Connection) -> None:
    import asyncio
    import struct

    from websockets.asyncio.client import connect

    got: list[int] = []

    async def view() -> None:
        async with connect(live, max_size=None, compression=None) as socket:
            while True:
                message = await socket.recv()
                if isinstance(message, bytes):
                    length = struct.unpack_from("<I", message, 4)[0]
                    sequence = json.loads(message[16 : 16 + length])["sequence"]
                    if not got:
                        parent.send("first")
                    got.append(sequence)
                    await socket.send(json.dumps({"ack": sequence}))

    async def until_told() -> None:
        viewers = [asyncio.create_task(view()) for _ in range(count)]
        told = asyncio.Event()
        asyncio.get_running_loop().add_reader(parent.fileno(), told.set)
        waiting = asyncio.create_task(told.wait())
        done, _ = await asyncio.wait([*viewers, waiting], return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()  # a viewer that failed says why

    asyncio.run(until_told())
    parent.send(got)


def _table(result: dict[str, Any]) -> str:
    header = (
        "viewers",
        "fps",
        "a viewer's",
        "frame→mask p50",
        "p99",
        "invoke p50",
        "daemon CPU",
        "server CPU",
    )
    rows = [
        (
            str(r["viewers"]),
            number(r["fps"]),
            number(r["viewer_fps"]),
            number(r["frame_to_mask_ms"]["p50"], unit=" ms"),
            number(r["frame_to_mask_ms"]["p99"], unit=" ms"),
            number(r["invoke_ms"]["p50"], unit=" ms"),
            number(r["daemon_cpu"], 1, " %"),
            number(r["server_cpu"], 1, " %"),
        )
        for r in result["results"]
    ]
    return table(rows, header)


@entry_point
def main(arguments: list[str] | None = None) -> int:
    """Entry point."""
    parser = Parser(prog="python -m benchmarks.viewers", description=__doc__)
    parser.add_argument("--viewers", type=between(1, 32), default=10)
    parser.add_argument(
        "--seconds", type=between(0.1, 3600.0), default=6.0, help="per round (default: 6)"
    )
    parser.add_argument("--rounds", type=at_least(1), default=5, help="of each kind (default: 5)")
    parser.add_argument(
        "--fps", type=between(1.0, 1000.0), default=30.0, help="of the camera (default: 30)"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the result as JSON")
    parser.add_argument("-v", "--verbose", action="store_true", help="show tracebacks")
    options = parser.parse_args(arguments)
    unwind_on_sigterm()

    def body() -> int:
        check_writable(options.json)
        result = measure(options.viewers, options.seconds, options.rounds, options.fps)
        if options.json:
            write_json(options.json, result)
        print(_table(result))
        return EXIT_DONE

    return run_command(body, verbose=options.verbose)


if __name__ == "__main__":
    sys.exit(main())
