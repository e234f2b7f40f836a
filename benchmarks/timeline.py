"""``python -m benchmarks.timeline``: what hours of recording cost the console's timeline.

A short recording of a real daemon becomes hours: its frames come again and again, with numbers and
times of their own. The server is asked as the page asks it, and every answer is compared with the
file.
"""

from __future__ import annotations

import json
import random
import re
import struct
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx

from benchmarks.daemon.process import finish, start
from benchmarks.results import table
from roadmask.errors import ConfigError, DataError
from roadmask.recording.mcap_file import Stamped
from roadmask.recording.reader import FRAME, WELCOME, Recording
from roadmask.recording.writer import RecordingFile
from roadmask.stream.modes import Mode, Reason
from roadmask.stream.protocol import FrameHeader, Welcome, encode
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
from roadmask.system.ranges import between

_START_NS = 10**12
_OUTAGE = (0.9, 0.901)  # of the whole: where the mode is DEGRADED
_LATENCY_NS = 7_000_000
_SCRUBS = 200
_ROUNDS, _EXPORTS = 3, 10
_BEFORE_S, _AFTER_S = 5.0, 10.0  # of the moment that is cut out


def stretch(short: Path, target: Path, hours: float, fps: float) -> int:
    """Write ``hours`` of the frames of ``short``; their number.

    Raises:
        DataError: ``short`` has no frame.
        ConfigError: ``target`` exists or cannot be written.
    """
    with Recording(short) as source:
        messages = [m for chunk in range(source.chunks) for m in source.stamped(chunk)]
        frames = [(m.data, source.parse(m.data).message) for m in messages if m.topic == FRAME]
        welcomes = [source.parse(m.data).message for m in messages if m.topic == WELCOME]
        identities = source.identities
    if not frames or not isinstance(welcomes[0], Welcome):
        raise DataError(f"{short} holds no frame: record some with 'roadmask record'")
    count = round(hours * 3600 * fps)
    outage = range(*(round(count * share) for share in _OUTAGE))
    with RecordingFile(target) as out:
        welcome = welcomes[0]._replace(sent_ns=_START_NS)
        out.add(welcome, encode(welcome))
        for (_, index), (kind, identity) in identities.items():
            out.add_identity(welcome.stream_id, index, kind, identity)
        for place in range(count):
            data, frame = frames[place % len(frames)]
            assert isinstance(frame, FrameHeader)
            capture_ns = _START_NS + round(place / fps * 1e9)
            told = Mode.DEGRADED | Reason.THERMAL if place in outage else int(Mode.OK)
            header = frame._replace(
                stream_id=welcome.stream_id,
                sequence=place + 1,
                capture_ns=capture_ns,
                publish_ns=capture_ns + _LATENCY_NS,
                sent_ns=capture_ns + _LATENCY_NS,
                mode_bits=frame.mode_bits & 0xFC | told,
            )
            out.add(header, encode(header) + data[header.length :])
    return count


class _Asked:
    """The server, and what was asked of it: how long each step took, and its memory after it."""

    def __init__(self, client: httpx.Client, name: str, pid: int) -> None:
        self._client, self._path, self._pid = client, f"/drives/{quote(name)}", pid
        self.seconds: dict[str, float] = {}
        self.rss_mib = {"at rest": self._rss_mib()}

    def get(self, path: str = "", **query: float) -> httpx.Response:
        answer = self._client.get(self._path + path, params=query)
        if answer.status_code != 200:
            raise DataError(f"{answer.url} answered {answer.status_code}: {answer.text[:200]}")
        return answer

    def step(self, name: str, work: Callable[[], Any]) -> Any:
        began = time.perf_counter()
        result = work()
        self.seconds[name] = round(time.perf_counter() - began, 3)
        self.rss_mib[name] = self._rss_mib()
        return result

    def frame(self, at_s: float) -> dict[str, Any]:
        data = self.get("/frame", at=at_s).content
        text = json.loads(data[16 : 16 + struct.unpack_from("<I", data, 4)[0]])
        return dict(text)

    def opened(self) -> Any:
        """What the page asks for before it shows a picture and a ribbon."""
        about = self.get().json()
        self.get("/ribbon")
        self.get("/frame", at=0)
        return about

    def read_all(self) -> None:
        while self.get("/ribbon").json()["known"] < 1:
            pass

    def trouble(self) -> float:
        """Where the mode first becomes DEGRADED."""
        after = 0.0
        while (found := self.get("/next", after=after).json())["at_s"] is None:
            if found["end"]:
                raise DataError("no DEGRADED was found")
            after = found["until_s"]
        return float(found["at_s"])

    def _rss_mib(self) -> float:
        status = Path(f"/proc/{self._pid}/status").read_text()
        found = re.search(r"VmRSS:\s+(\d+)", status)
        assert found
        return round(int(found[1]) / 1024, 1)


def measure(file: Path, seed: int = 1) -> dict[str, Any]:
    """Open, scrub, look for trouble, read the whole, cut; ``file`` is one of ``stretch``.

    Raises:
        ConfigError: the server did not start.
        DataError: what it answered is not what the file holds.
    """
    with Recording(file) as source:
        frames, parts = source.frames, source.chunks
        seconds = float(source.spans_s().max())
    period_s, random_places = seconds / (frames - 1), random.Random(seed)
    with _server(file) as asked:
        about = asked.step("open", asked.opened)
        _same("frames", about["frames"], frames)
        asked.step("open again", asked.opened)
        scrub_ms: list[float] = []

        def scrub() -> None:
            for _ in range(_SCRUBS):
                place = random_places.randrange(frames)
                began = time.perf_counter()
                shown = asked.frame((place + 0.25) * period_s)
                scrub_ms.append(1e3 * (time.perf_counter() - began))
                _same("the frame shown", shown["sequence"], place + 1)

        asked.step(f"{_SCRUBS} places", scrub)
        found = asked.step("next DEGRADED", asked.trouble)
        _same("the first DEGRADED", round(found / period_s), round(_OUTAGE[0] * frames))
        asked.step("read to the end", asked.read_all)
        _same("DEGRADED in the whole ribbon", asked.step("next, known", asked.trouble), found)
        start_s, end_s = found - _BEFORE_S, found + _AFTER_S
        cut = file.with_name(f"{file.stem}.cut.mcap")

        def export() -> bytes:
            return asked.get("/export", start=start_s, end=end_s).content

        data = asked.step("export", export)
        cut.write_bytes(data)
        for again in range(1, _ROUNDS + 1):  # memory must not rise from one to the next
            asked.step(f"{_SCRUBS} places, round {again}", scrub)
            asked.step(
                f"{_EXPORTS} exports, round {again}", lambda: [export() for _ in range(_EXPORTS)]
            )
    try:
        wanted, got = _frames(file, start_s, end_s), _frames(cut, 0, seconds)
        _same("exported frames", [m.data for m in got], [m.data for m in wanted])
    finally:
        cut.unlink()
    return {
        "bytes": file.stat().st_size,
        "hours": round(seconds / 3600, 3),
        "frames": frames,
        "parts": parts,
        "seconds": asked.seconds,
        "scrub_ms": percentiles(scrub_ms),
        "rss_mib": asked.rss_mib,
        "exported": {"bytes": len(data), "frames": len(got)},
        "device": read_device().to_json(),
    }


def _frames(file: Path, start_s: float, end_s: float) -> list[Stamped]:
    with Recording(file) as source:
        spans = enumerate(source.spans_s())
        near = [chunk for chunk, span in spans if span[0] <= end_s and span[1] >= start_s]
        messages = [message for chunk in near for message in source.stamped(chunk)]
    return [m for m in messages if m.topic == FRAME and start_s <= m.at_s <= end_s]


def _same(what: str, given: object, expected: object) -> None:
    if given != expected:
        raise DataError(f"{what}: {str(given)[:80]}, expected {str(expected)[:80]}")


@contextmanager
def _server(file: Path) -> Iterator[_Asked]:
    command = [sys.executable, "-m", "roadmask", "serve", "--port", "0", "--drives", str(file)]
    with start([*command, "--socket", "/nonexistent/masks.sock"]) as server:
        assert server.stderr is not None
        line = server.stderr.readline()
        found = re.search(r"http://[^/\s]+", line)
        if not found:
            finish(server)
            raise ConfigError(f"roadmask serve said: {line.strip()}")
        try:
            with httpx.Client(base_url=found[0], timeout=120) as client:
                yield _Asked(client, file.name, server.pid)
        finally:
            server.terminate()


def _table(result: dict[str, Any]) -> str:
    rows = [
        (
            name,
            "" if name not in result["seconds"] else f"{result['seconds'][name]:.2f} s",
            f"{mib:.0f} MiB",
        )
        for name, mib in result["rss_mib"].items()
    ]
    scrub = result["scrub_ms"]
    return (
        f"{result['bytes'] / 1e9:.2f} GB, {result['hours']:g} h, {result['frames']} frames in "
        f"{result['parts']} parts\n{table(rows, ('step', 'took', 'server after it'))}\n"
        f"any place: p50 {scrub['p50']:.0f} ms, p99 {scrub['p99']:.0f} ms; exported "
        f"{result['exported']['frames']} frames as in the file"
    )


@entry_point
def main(arguments: list[str] | None = None) -> int:
    """Entry point."""
    parser = Parser(prog="python -m benchmarks.timeline", description=__doc__)
    parser.add_argument("file", type=Path, help="the long recording; made where it is not there")
    parser.add_argument(
        "--from", dest="short", type=Path, help="of 'roadmask record', to make it of"
    )
    parser.add_argument("--hours", type=between(0.01, 48.0), default=2.0, help="(default: 2)")
    parser.add_argument("--fps", type=between(1.0, 1000.0), default=30.0, help="(default: 30)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the result as JSON")
    parser.add_argument("-v", "--verbose", action="store_true", help="show tracebacks")
    options = parser.parse_args(arguments)
    unwind_on_sigterm()

    def body() -> int:
        check_writable(options.json)
        if not options.file.exists():
            if not options.short:
                raise ConfigError(f"{options.file} is not there: give a recording with --from")
            stretch(options.short, options.file, options.hours, options.fps)
        result = measure(options.file)
        if options.json:
            write_json(options.json, result)
        print(_table(result))
        return EXIT_DONE

    return run_command(body, verbose=options.verbose)


if __name__ == "__main__":
    sys.exit(main())
