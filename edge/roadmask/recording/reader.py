"""A recording of a mask stream: one MCAP file, read and checked here; ``docs/recording.md``."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from roadmask.arrays import U8
from roadmask.errors import DataError
from roadmask.recording.mcap_file import McapFile, Stamped
from roadmask.stream.checks import MAX_SIDE_PX
from roadmask.stream.modes import MessageType, Mode, Reason
from roadmask.stream.protocol import FrameHeader, Identity, IdentityKind, Welcome, decode

PROFILE = "roadmask"
VERSION = "1"
WELCOME, FRAME, STATUS = "roadmask/welcome", "roadmask/frame", "roadmask/status"
MODE = "roadmask/mode"  # the header of each message whose mode is another than before: an index
ABOUT, IDENTITY, TOTALS = "roadmask.recording", "roadmask.identity", "roadmask.totals"


@dataclass(frozen=True)
class Record:
    """One message of the stream as it came, with the planes of a FRAME.

    Attributes:
        mask: ``(H, W) uint8`` category ids, None for all but a FRAME.
        confidence: ``(H, W) uint8`` or None.
        preview: ``(h, w, 3) uint8`` RGB or None.
    """

    message: FrameHeader | Welcome
    mask: U8 | None = None
    confidence: U8 | None = None
    preview: U8 | None = None


class Told(NamedTuple):
    """Mode, reasons and shares of the categories, where a message says them."""

    mode: Mode
    reasons: Reason
    shares: Sequence[float]


class Recording(McapFile):
    """An opened recording; a context manager.

    Args:
        path: the file.

    Attributes:
        frames: FRAMEs that it holds.
        identities: by stream id and index of the frame's header.
        about: what the file says of itself.

    Raises:
        DataError: not a recording, cut off, of another version.
        ConfigError: mcap is not installed.
    """

    def __init__(self, path: str | Path) -> None:
        super().__init__(path, PROFILE)

    def records(self, start_s: float = 0.0) -> Iterator[Record]:
        """What came, in the order in which it came, from ``start_s`` after the beginning on.

        WELCOMEs come whatever the start: they say what holds for the frames after them.

        Raises:
            DataError: the file is damaged.
        """
        start_ns = self._start_ns + int(start_s * 1e9)
        with self._named():
            wanted = (self._index.ends_ns >= start_ns) | self.welcomes()
            for chunk in np.flatnonzero(wanted):
                for message in self._messages(int(chunk)):
                    topic = self._index.topics[message.channel_id]
                    if topic not in (WELCOME, FRAME, STATUS):
                        continue  # for other tools
                    if message.log_time >= start_ns or topic == WELCOME:
                        yield _parse(message.data)

    def _opened(self) -> None:
        about = dict(self.metadata).get(ABOUT, {})
        if about.get("version") != VERSION:
            raise DataError(
                f"{self.path} has format {about.get('version')!r}, this roadmask reads "
                f"{VERSION!r}: update it"
            )
        self.about = about
        self._unix_ns = int(about["unix_ns_minus_boottime_ns"])
        self.frames = self.counts.get(FRAME, 0)
        self.identities: dict[tuple[int, int], tuple[IdentityKind, Identity]] = {}
        for name, entry in self.metadata:
            if name == IDENTITY:
                key = int(entry["stream_id"], 16), int(entry["index"])
                colors = [tuple(bytes.fromhex(rgb)) for rgb in entry["colors_rgb"].split()]
                identity = Identity(
                    entry["name"],
                    bytes.fromhex(entry["sha256"]),
                    tuple((rgb[0], rgb[1], rgb[2]) for rgb in colors),
                    bytes.fromhex(entry.get("body", "")),
                )
                self.identities[key] = IdentityKind[entry["kind"]], identity

    def welcomes(self) -> npt.NDArray[np.bool_]:
        """In which parts a WELCOME is."""
        return self._index.parts_with(WELCOME)

    frame_topic = FRAME

    def mode_changes(self) -> npt.NDArray[np.bool_] | None:
        """In which parts mode or reasons change; None: the file is older than this index."""
        return self._index.parts_with(MODE) if self.counts.get(MODE) else None

    def told(self, message: Stamped) -> Told | None:
        """What a message says of the mode; a WELCOME says nothing, nor one for other tools.

        Raises:
            DataError: it is damaged.
        """
        if message.topic not in (FRAME, STATUS, MODE):
            return None
        with self._named():
            header = decode(message.data, _header_bytes(message.data))
        if not isinstance(header, FrameHeader):
            return None
        return Told(header.mode, header.reasons, header.shares)

    def parse(self, data: bytes) -> Record:
        """What a stored message says.

        Raises:
            DataError: it is damaged.
        """
        with self._named():
            return _parse(data)

    def first_frame(self, welcome: Welcome) -> Record | None:
        """The first FRAME of the stream that ``welcome`` began; None if it had none."""
        start_ns = welcome.sent_ns + self._unix_ns - self._start_ns
        for record in self.records(max(start_ns, 0) / 1e9):
            if record.mask is not None:
                return record if record.message.stream_id == welcome.stream_id else None
        return None


def _header_bytes(data: bytes) -> int:
    (length,) = struct.unpack_from("<H", data, 6)
    return min(int(length), len(data))


def mode_message(data: bytes) -> bytes:
    """What ``MODE`` holds of a stored message: its header."""
    return data[: _header_bytes(data)]


def _parse(data: bytes) -> Record:
    length = _header_bytes(data)
    message = decode(data, length)
    if not isinstance(message, FrameHeader) or message.type != MessageType.FRAME:
        if message is None:
            raise ValueError("a message of unknown type")
        return Record(message)
    planes = []
    for present, *shape in (
        (True, message.mask_height, message.mask_width),
        (message.confidence_offset, message.mask_height, message.mask_width),
        (message.preview_offset, message.preview_height, message.preview_width, 3),
    ):
        if not all(1 <= side <= MAX_SIDE_PX for side in shape) and present:
            raise ValueError(f"a plane of {shape} px")
        size = int(np.prod(shape)) if present else 0
        if length + size > len(data):
            raise ValueError(f"a frame of {len(data)} bytes, expected {length + size}")
        plane = np.frombuffer(data, np.uint8, size, length).reshape(shape) if present else None
        planes.append(plane)
        length += size
    return Record(message, *planes)
