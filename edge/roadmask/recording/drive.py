"""A recording as a timeline: what happened when, read part by part and never as a whole.

A part (an MCAP chunk) is a megabyte of messages. The timeline keeps 16 bytes a part: the worst
mode, all reasons, mean shares. The parts are read in an order that covers the whole file at once
and gets finer, so that a first picture is there after some hundred of them.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from roadmask.errors import DataError
from roadmask.recording.reader import FRAME, WELCOME, Record, Recording, Stamped
from roadmask.stream.modes import Mode, Reason
from roadmask.stream.protocol import CATEGORY_COUNT, FrameHeader

UNREAD = 255
_FIRST_LOOK = 256  # parts


class Strip(NamedTuple):
    """Equal pieces of time: ``(n,)`` worst mode (255 = not read), reasons, ``(n, 8)`` shares."""

    mode: npt.NDArray[np.uint8]
    reasons: npt.NDArray[np.uint32]
    shares: npt.NDArray[np.uint8]


class Shown(NamedTuple):
    """A frame, and when it was taken."""

    at_s: float
    record: Record


class Drive:
    """An opened recording that can be looked at anywhere; for one thread at a time.

    Args:
        path: a file of ``roadmask record``, or any MCAP file with its topics.

    Raises:
        DataError: it cannot be read, or holds nothing.
        ConfigError: mcap is not installed.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.recording = Recording(path)
        count = self.recording.chunks
        if not count:
            self.recording.close()
            raise DataError(f"{path} holds no message: give another recording")
        spans = np.array([self.recording.span_s(chunk) for chunk in range(count)])
        self._start, self._end = spans[:, 0], spans[:, 1]
        self.duration_s = float(self._end.max())
        self.read = 0
        self._mode = np.full(count, UNREAD, np.uint8)
        self._reasons = np.zeros(count, np.uint32)
        self._shares = np.zeros((count, CATEGORY_COUNT), np.uint8)
        self._order = _coarse_to_fine(count)

    def close(self) -> None:
        """Let the file go."""
        self.recording.close()

    @property
    def known(self) -> float:
        """Share of the parts that were read."""
        return self.read / len(self._mode)

    def look(self, seconds: float) -> bool:
        """Read on for so long; False when all is read.

        Raises:
            DataError: the file is damaged.
        """
        end_s = time.monotonic() + seconds
        while self.read < len(self._mode):
            self._learn(int(self._order[self.read]))
            self.read += 1
            if time.monotonic() > end_s:
                return True
        return False

    def first_look(self, seconds: float) -> None:
        """As ``look``, but only until there is something everywhere."""
        end_s = time.monotonic() + seconds
        while self.read < min(_FIRST_LOOK, len(self._mode)) and time.monotonic() < end_s:
            self.look(0)

    def strip(self, start_s: float, end_s: float, pieces: int) -> Strip:
        """What is known of ``[start_s, end_s]``, the worst of each piece."""
        modes = np.full(pieces, UNREAD, np.uint8)
        reasons = np.zeros(pieces, np.uint32)
        sums, counts = np.zeros((pieces, CATEGORY_COUNT)), np.zeros(pieces)
        width = max(end_s - start_s, 1e-9) / pieces
        inside = (self._end >= start_s) & (self._start <= end_s) & (self._mode != UNREAD)
        for part in np.flatnonzero(inside):
            first = int(np.clip((self._start[part] - start_s) / width, 0, pieces - 1))
            last = int(np.clip((self._end[part] - start_s) / width, 0, pieces - 1))
            place = slice(first, last + 1)
            here = modes[place]
            worse = np.maximum(here, self._mode[part])
            modes[place] = np.where(here == UNREAD, self._mode[part], worse)
            reasons[place] |= self._reasons[part]
            sums[place] += self._shares[part]
            counts[place] += 1
        shares = (sums / np.maximum(counts, 1)[:, None]).astype(np.uint8)
        return Strip(modes, reasons, shares)

    def frame(self, at_s: float, step: int = 0) -> Shown | None:
        """The last frame taken at ``at_s`` or before; with a ``step`` of 1 or -1 the next one.

        Raises:
            DataError: the file is damaged.
        """
        before: Stamped | None = None
        near = self._near(at_s, forward=step > 0)
        for part in near:
            frames = [m for m in self._messages(part) if m.topic == FRAME]
            if step > 0:
                later = [m for m in frames if m.at_s > at_s]
                if later:
                    return self._shown(min(later, key=lambda m: m.at_s))
                continue
            earlier = [m for m in frames if m.at_s < at_s or (not step and m.at_s <= at_s)]
            if earlier:
                before = max(earlier, key=lambda m: m.at_s)
                break
        if before is None:
            return self.frame(at_s, 1) if not step else None
        return self._shown(before)

    def find(self, after_s: float, worse_than: Mode, seconds: float) -> tuple[float | None, float]:
        """When the mode next becomes worse than that, and until when was looked.

        An outage that is under way at ``after_s`` is passed by.

        Args:
            after_s: where to begin.
            worse_than: OK finds DEGRADED, STALE and FAULT.
            seconds: how long to look; ask again from where it ended.
        """
        deadline = time.monotonic() + seconds
        good = not self._is_bad(after_s, worse_than)
        until = after_s
        for part in self._near(after_s, forward=True):
            if good and self._mode[part] != UNREAD and self._mode[part] <= worse_than:
                until = float(self._end[part])
                continue
            for message in self._messages(part):
                if message.topic == WELCOME or message.at_s <= after_s:
                    continue
                bad = self.recording.parse(message.data).message.mode > worse_than  # type: ignore[union-attr]
                if bad and good:
                    return message.at_s, message.at_s
                good = not bad
            until = float(self._end[part])
            if time.monotonic() > deadline:
                return None, until
        return None, self.duration_s

    def _is_bad(self, at_s: float, worse_than: Mode) -> bool:
        shown = self.frame(at_s)
        return shown is not None and shown.at_s <= at_s and shown.record.message.mode > worse_than  # type: ignore[union-attr]

    def _near(self, at_s: float, forward: bool) -> Iterator[int]:
        """Parts that may hold what comes after ``at_s``, or at it and before."""
        if forward:
            order = np.argsort(self._start, kind="stable")
            yield from (int(part) for part in order if self._end[part] > at_s)
        else:
            order = np.argsort(self._end, kind="stable")[::-1]
            yield from (int(part) for part in order if self._start[part] <= at_s)

    def _learn(self, part: int) -> None:
        worst, reasons = 0, 0
        shares, frames = np.zeros(CATEGORY_COUNT), 0
        for message in self._messages(part):
            header = self.recording.parse(message.data).message
            if not isinstance(header, FrameHeader):
                continue
            worst, reasons = max(worst, header.mode), reasons | int(header.reasons)
            if message.topic == FRAME:
                shares += header.shares
                frames += 1
        self._mode[part], self._reasons[part] = worst, reasons & 0xFFFFFFFF
        self._shares[part] = np.clip(255 * shares / max(frames, 1), 0, 255)

    def _messages(self, part: int) -> list[Stamped]:
        return self.recording.stamped(part)

    def _shown(self, message: Stamped) -> Shown:
        return Shown(message.at_s, self.recording.parse(message.data))


def reason_names(bits: int) -> list[str]:
    """The names of the reasons that are set."""
    return [reason.name or "" for reason in Reason if reason and reason & bits]


def _coarse_to_fine(count: int) -> npt.NDArray[np.int64]:
    """0 … count - 1, such that every beginning of it is spread over the whole."""
    bits = max(1, (count - 1).bit_length())
    numbers = np.arange(1 << bits)
    turned = np.zeros_like(numbers)
    for bit in range(bits):
        turned |= (numbers >> bit & 1) << (bits - 1 - bit)
    return turned[turned < count]
