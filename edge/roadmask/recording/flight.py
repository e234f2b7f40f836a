"""A flight recorder's file: what led to a failure, as MCAP with JSON in it (Foxglove reads it)."""

from __future__ import annotations

import base64
import json
import os
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from roadmask import __version__
from roadmask.recording.mcap_file import require_mcap
from roadmask.system.clock import now_ns
from roadmask.system.files import json_ready

_PREFIX, _SUFFIX = "flight-", ".mcap"
_IMAGE = "foxglove.CompressedImage"
_ANY = json.dumps({"type": "object"}).encode()


class Entry(NamedTuple):
    """Something that was so at ``at_ns``, CLOCK_BOOTTIME.

    Attributes:
        topic: ``/headers``, ``/modes``, ``/statistics`` or ``/pictures``.
        content: a JSON object; of a picture, its JPEG.
    """

    at_ns: int
    topic: str
    content: dict[str, Any] | bytes


def write_flight(folder: Path, entries: Iterable[Entry], limit_bytes: int) -> Path:
    """Write one file, whole or not at all, and remove the oldest until all fit in the limit.

    Args:
        folder: of the files.
        entries: by their time; taken one by one.
        limit_bytes: of all files.

    Raises:
        OSError: no room, no rights.
        ConfigError: mcap is missing.
    """
    require_mcap()
    from mcap.writer import Writer

    folder.mkdir(parents=True, exist_ok=True)
    # Once: a step of the wall clock must not reorder what was kept.
    unix_ns = time.time_ns() - now_ns()
    when = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    path = folder / f"{_PREFIX}{when}-{os.getpid()}{_SUFFIX}"  # several daemons share a folder
    partial = path.with_name(f".{path.name}.partial")
    try:
        with partial.open("wb") as file:
            writer = Writer(file)
            writer.start("", f"roadmask {__version__}")
            channels: dict[str, int] = {}
            for at_ns, topic, content in entries:
                if topic not in channels:
                    name = _IMAGE if isinstance(content, bytes) else topic.strip("/")
                    schema = writer.register_schema(name, "jsonschema", _ANY)
                    channels[topic] = writer.register_channel(topic, "json", schema)
                stamp = at_ns + unix_ns
                data = _image(content, stamp) if isinstance(content, bytes) else content
                text = json.dumps(json_ready(data), allow_nan=False)
                writer.add_message(channels[topic], stamp, text.encode(), stamp)
            writer.finish()  # type: ignore[no-untyped-call]
            file.flush()
            os.fsync(file.fileno())
        partial.rename(path)
    finally:
        partial.unlink(missing_ok=True)
    _make_room(folder, limit_bytes)
    return path


def _image(jpeg: bytes, stamp_ns: int) -> dict[str, Any]:
    return {
        "timestamp": {"sec": stamp_ns // 10**9, "nsec": stamp_ns % 10**9},
        "frame_id": "camera",
        "format": "jpeg",
        "data": base64.b64encode(jpeg).decode(),
    }


def _make_room(folder: Path, limit_bytes: int) -> None:
    """The newest stays, however large."""
    files = sorted(folder.glob(f"{_PREFIX}*{_SUFFIX}"))
    total = sum(file.stat().st_size for file in files)
    for file in files[:-1]:
        if total <= limit_bytes:
            return
        total -= file.stat().st_size
        with suppress(OSError):
            file.unlink()
