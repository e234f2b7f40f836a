"""A recording as a timeline: what happened when, read part by part and never as a whole.

A part (an MCAP chunk) is a megabyte of messages. The timeline keeps 97 bytes a part: where and when
it is, the worst mode, all reasons, mean shares. The parts are read in an order that covers the
whole file at once and gets finer, so that a first picture is there after some hundred of them.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from roadmask.errors import DataError
from roadmask.recording.flight_file import FlightFile
from roadmask.recording.mcap_file import Stamped, profile_of
from roadmask.recording.reader import Recording
from roadmask.stream.modes import Mode, Reason
from roadmask.stream.protocol import CATEGORY_COUNT

UNREAD, SILENT = 255, 254
_SILENT_S = 1.0  # without a message: nothing came
_FIRST_LOOK = 256  # parts


class Strip(NamedTuple):
    """Equal pieces of time, ``(n,)`` each, shares ``(n, 8)``.

    The mode is the worst, UNREAD where nothing is known, SILENT where nothing came.
    """

    mode: npt.NDArray[np.uint8]
    reasons: npt.NDArray[np.uint32]
    shares: npt.NDArray[np.uint8]


class Shown(NamedTuple):
    """A frame as it is stored, and when it was taken."""

    at_s: float
    message: Stamped


class Drive:
    """An opened recording that can be looked at anywhere; for one thread at a time.

    Args:
        path: a file of ``roadmask record``, or of a flight recorder.

    Raises:
        DataError: it cannot be read, or holds nothing.
        ConfigError: mcap is not installed.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.recording = FlightFile(path) if profile_of(path) == "" else Recording(path)
        count = self.recording.chunks
        if not count:
            self.recording.close()
            raise DataError(f"{path} holds no message: give another recording")
        self._start, self._end = self.recording.spans_s().T
        self.duration_s = float(self._end.max())
        self.read = 0
        self._mode = np.full(count, UNREAD, np.uint8)
        self._reasons = np.zeros(count, np.uint32)
        self._shares = np.zeros((count, CATEGORY_COUNT), np.uint8)
        self._gap = np.zeros((count, 2))  # the longest silence inside a part
        self._changes = self.recording.mode_changes()
        self._order = _first(_coarse_to_fine(count), self._changes)

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
        width = max(end_s - start_s, 1e-9) / pieces

        def piece(at_s: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
            return np.clip((at_s - start_s) / width, 0, pieces - 1).astype(np.int64)

        order = np.argsort(self._start, kind="stable")
        starts, ends, known = self._start[order], self._end[order], self._mode[order] != UNREAD
        # What a part says holds until the next one, unless nothing came for long.
        gaps = starts[1:] - ends[:-1]
        silent = (gaps > _SILENT_S) & known[1:] & known[:-1]
        ends[:-1] = np.where(gaps > _SILENT_S, ends[:-1], np.maximum(starts[1:], ends[:-1]))
        worst = np.full(pieces, -1)
        reasons = np.zeros(pieces, np.uint32)
        sums, counts = np.zeros((pieces, CATEGORY_COUNT)), np.zeros(pieces)
        inside = np.flatnonzero((ends >= start_s) & (starts <= end_s) & known)
        first, last = piece(starts[inside]), piece(ends[inside])
        while inside.size:  # one piece of each part after the other: most have a single one
            part = order[inside]
            np.maximum.at(worst, first, self._mode[part])
            np.bitwise_or.at(reasons, first, self._reasons[part])
            np.add.at(sums, first, self._shares[part])
            np.add.at(counts, first, 1)
            more = first < last
            inside, first, last = inside[more], first[more] + 1, last[more]
        modes = np.where(worst < 0, UNREAD, worst).astype(np.uint8)
        for begin, finish in zip(ends[:-1][silent], starts[1:][silent], strict=True):
            if begin < end_s and finish > start_s:
                from_piece, to_piece = piece(np.array([begin, finish]))
                place = slice(from_piece, to_piece + 1)
                modes[place] = np.where(modes[place] == UNREAD, SILENT, modes[place])
        for begin, finish in self._gap[self._gap[:, 1] - self._gap[:, 0] > _SILENT_S]:
            if begin < end_s and finish > start_s:
                from_piece, to_piece = piece(np.array([begin, finish]))
                modes[from_piece + 1 : to_piece] = SILENT
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
            frames = [
                m for m in self.recording.stamped(part) if m.topic == self.recording.frame_topic
            ]
            if step > 0:
                later = [m for m in frames if m.at_s > at_s]
                if later:
                    return _shown(min(later, key=lambda m: m.at_s))
                continue
            earlier = [m for m in frames if m.at_s < at_s or (not step and m.at_s <= at_s)]
            if earlier:
                before = max(earlier, key=lambda m: m.at_s)
                break
        if before is None:
            return self.frame(at_s, 1) if not step else None
        return _shown(before)

    def find(self, after_s: float, worse_than: Mode, seconds: float) -> tuple[float | None, float]:
        """When the mode next becomes worse than that, and until when was looked.

        An outage that is under way at ``after_s`` is passed by.

        Args:
            after_s: where to begin.
            worse_than: OK finds DEGRADED, STALE and FAULT.
            seconds: how long to look; ask again from where it ended.
        """
        deadline = time.monotonic() + seconds
        changes = self._changes
        good = not self._is_bad(after_s, worse_than)
        until = after_s
        for part in self._near(after_s, forward=True):
            known = self._mode[part] != UNREAD and self._mode[part] <= worse_than
            if (good and known) or (changes is not None and not changes[part]):
                until = float(self._end[part])
                continue
            for message in self.recording.stamped(part):
                told = self.recording.told(message) if message.at_s > after_s else None
                if told is None:
                    continue
                bad = told.mode > worse_than
                if bad and good:
                    return message.at_s, message.at_s
                good = not bad
            until = float(self._end[part])
            if time.monotonic() > deadline:
                return None, until
        return None, self.duration_s

    def _is_bad(self, at_s: float, worse_than: Mode) -> bool:
        shown = self.frame(at_s)
        if shown is None or shown.at_s > at_s:
            return False
        told = self.recording.told(shown.message)
        return told is not None and told.mode > worse_than

    def _near(self, at_s: float, forward: bool) -> Iterator[int]:
        """Parts that may hold what comes after ``at_s``, or at it and before."""
        if forward:
            order = np.argsort(self._start, kind="stable")
            near = order[self._end[order] > at_s]
        else:
            order = np.argsort(self._end, kind="stable")[::-1]
            near = order[self._start[order] <= at_s]
        return map(int, near)

    def _learn(self, part: int) -> None:
        worst, reasons = 0, 0
        times: list[float] = []
        shares, frames = np.zeros(CATEGORY_COUNT), 0
        for message in self.recording.stamped(part):
            times.append(message.at_s)
            told = self.recording.told(message)
            if told is None:
                continue
            worst, reasons = max(worst, told.mode), reasons | int(told.reasons)
            if message.topic == self.recording.frame_topic:
                shares += np.asarray(told.shares)
                frames += 1
        times.sort()
        if len(times) > 1:
            longest = int(np.argmax(np.diff(times)))
            self._gap[part] = times[longest], times[longest + 1]
        self._mode[part], self._reasons[part] = worst, reasons & 0xFFFFFFFF
        self._shares[part] = np.clip(255 * shares / max(frames, 1), 0, 255)


def _shown(message: Stamped) -> Shown:
    return Shown(message.at_s, message)


def reason_names(bits: int) -> list[str]:
    """The names of the reasons that are set."""
    return [reason.name or "" for reason in Reason if reason and reason & bits]


def _first(
    order: npt.NDArray[np.int64], matters: npt.NDArray[np.bool_] | None
) -> npt.NDArray[np.int64]:
    """A first look everywhere, then what matters most, then the rest."""
    if matters is None:
        return order
    look, rest = order[:_FIRST_LOOK], order[_FIRST_LOOK:]
    return np.concatenate((look, rest[matters[rest]], rest[~matters[rest]]))


def _coarse_to_fine(count: int) -> npt.NDArray[np.int64]:
    """0 … count - 1, such that every beginning of it is spread over the whole."""
    bits = max(1, (count - 1).bit_length())
    numbers = np.arange(1 << bits)
    turned = np.zeros_like(numbers)
    for bit in range(bits):
        turned |= (numbers >> bit & 1) << (bits - 1 - bit)
    return turned[turned < count]
