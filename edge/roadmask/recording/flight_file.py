"""A flight recorder's file for the timeline: headers as JSON, small pictures, no masks."""

from __future__ import annotations

import base64
import json
from bisect import bisect_right
from pathlib import Path
from typing import Any

from roadmask.errors import DataError
from roadmask.recording.mcap_file import McapFile, Stamped
from roadmask.recording.reader import Told
from roadmask.stream.modes import Mode, Reason
from roadmask.stream.protocol import CATEGORY_COUNT, Identity, IdentityKind

HEADERS, MODES, PICTURES = "/headers", "/modes", "/pictures"
_LARGEST_BYTES = 1 << 28  # a minute has some megabytes


class FlightFile(McapFile):
    """An opened file of ``roadmask run --flight``.

    Raises:
        DataError: it is none.
        ConfigError: mcap is not installed.
    """

    frame_topic = HEADERS

    def __init__(self, path: str | Path) -> None:
        super().__init__(path, "")

    def mode_changes(self) -> None:
        """It has no such index, and is short."""

    def _opened(self) -> None:
        if HEADERS not in self.counts or self.path.stat().st_size > _LARGEST_BYTES:
            raise DataError(f"{self.path} is no file of 'roadmask record' or of a flight recorder")
        self.frames = self.counts[HEADERS]
        self.identities: dict[tuple[int, int], tuple[IdentityKind, Identity]] = {}
        seen = sorted(
            (message.at_s, part)
            for part in range(self.chunks)
            for message in self.stamped(part)
            if message.topic == PICTURES
        )
        self._seen, self._parts = [at for at, _ in seen], [part for _, part in seen]

    def told(self, message: Stamped) -> Told | None:
        """What a message says of the mode.

        Raises:
            DataError: it is damaged.
        """
        if message.topic not in (HEADERS, MODES):
            return None
        with self._named():
            content = _checked(json.loads(message.data), message.topic)
            mode, _, reasons = content["mode"].partition(" ")
            return Told(
                Mode[mode], _bits(content.get("reasons", reasons)), content.get("shares", ())
            )

    def content(self, message: Stamped) -> dict[str, Any]:
        """The JSON of a header.

        Raises:
            DataError: it is damaged.
        """
        with self._named():
            return _checked(json.loads(message.data), HEADERS)

    def picture(self, at_s: float) -> bytes:
        """The JPEG that was kept last at that time; empty where there is none yet."""
        place = bisect_right(self._seen, at_s) - 1
        if place < 0:
            return b""
        with self._named():
            for message in self.stamped(self._parts[place]):
                if message.topic == PICTURES and message.at_s == self._seen[place]:
                    return base64.b64decode(json.loads(message.data)["data"])
        return b""


def _checked(content: Any, topic: str) -> dict[str, Any]:
    """What a message holds, in the types that a flight recorder writes.

    Raises:
        ValueError: somebody else wrote it.
    """
    kinds: dict[str, type] = {"mode": str}
    if topic == HEADERS:
        kinds |= {"sequence": int, "reasons": str, "shares": list}
    fits = isinstance(content, dict) and all(
        isinstance(content.get(key), kind) for key, kind in kinds.items()
    )
    if fits and topic == HEADERS:
        shares = content["shares"]
        fits = len(shares) == CATEGORY_COUNT and all(
            isinstance(share, (int, float)) and 0 <= share <= 1 for share in shares
        )
    if not fits:
        raise ValueError(f"a message of {topic} is not a flight recorder's")
    found: dict[str, Any] = content
    return found


def _bits(names: str) -> Reason:
    found = Reason.NONE
    for name in names.split("|"):
        found |= Reason.__members__.get(name, Reason.NONE)
    return found
