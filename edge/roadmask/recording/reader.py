"""A recording of a mask stream: one MCAP file, read and checked here; ``docs/recording.md``."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

import numpy as np

from roadmask.arrays import U8
from roadmask.errors import ConfigError, DataError, ProtocolError
from roadmask.stream.checks import MAX_SIDE_PX
from roadmask.stream.modes import MessageType
from roadmask.stream.protocol import FrameHeader, Identity, IdentityKind, Welcome, decode

PROFILE = "roadmask"
VERSION = "1"
WELCOME, FRAME, STATUS = "roadmask/welcome", "roadmask/frame", "roadmask/status"
ABOUT, IDENTITY, TOTALS = "roadmask.recording", "roadmask.identity", "roadmask.totals"
_MAGIC = b"\x89MCAP0\r\n"


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


class Stamped(NamedTuple):
    """A stored message: topic, seconds after the beginning, MCAP's own times, its bytes."""

    topic: str
    at_s: float
    log_ns: int
    publish_ns: int
    sequence: int
    data: bytes


def require_mcap() -> None:
    """Raises ConfigError where the extra is missing."""
    try:
        import mcap.reader  # noqa: F401
    except ImportError as error:
        raise ConfigError(
            f"recordings need the package mcap ({error}): pip install 'roadmask[record]'"
        ) from error


class Recording:
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
        require_mcap()
        from mcap.reader import SeekingReader

        self.path = Path(path)
        try:
            self._file = self.path.open("rb")
            magic = self._file.read(len(_MAGIC))
        except OSError as error:
            raise DataError(
                f"{path}: {error.strerror}; give a file of 'roadmask record'"
            ) from error
        try:
            if magic != _MAGIC:
                raise DataError(
                    f"{path} is no recording: expected an MCAP file of 'roadmask record'"
                )
            self._file.seek(0)
            with self._named():
                reader = SeekingReader(self._file)
                profile = reader.get_header().profile
            with self._named("it is cut off; 'mcap recover' of the MCAP tools saves what is whole"):
                summary = reader.get_summary()
                metadata = list(reader.iter_metadata()) if summary else []
            if profile != PROFILE:
                raise DataError(f"{path} holds {profile or 'other'!r} data, expected {PROFILE!r}")
            if summary is None:
                raise DataError(f"{path} has no index: 'mcap recover' of the MCAP tools writes one")
            with self._named():
                self._read(summary, [(entry.name, entry.metadata) for entry in metadata])
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> Recording:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let the file go."""
        self._file.close()

    def records(self, start_s: float = 0.0) -> Iterator[Record]:
        """What came, in the order in which it came, from ``start_s`` after the beginning on.

        WELCOMEs come whatever the start: they say what holds for the frames after them.

        Raises:
            DataError: the file is damaged.
        """
        start_ns = self._start_ns + int(start_s * 1e9)
        with self._named():
            for chunk in self._chunks:
                topics = {self._topics[channel] for channel in chunk.message_index_offsets}
                if chunk.message_end_time >= start_ns or WELCOME in topics:
                    for message in self._messages(chunk):
                        topic = self._topics[message.channel_id]
                        if message.log_time >= start_ns or topic == WELCOME:
                            yield _parse(message.data)

    def _read(self, summary: Any, metadata: list[tuple[str, dict[str, str]]]) -> None:
        about = dict(metadata).get(ABOUT, {})
        if about.get("version") != VERSION:
            raise DataError(
                f"{self.path} has format {about.get('version')!r}, this roadmask reads "
                f"{VERSION!r}: update it"
            )
        self.about = about
        self._unix_ns = int(about["unix_ns_minus_boottime_ns"])
        self._topics = {channel.id: channel.topic for channel in summary.channels.values()}
        self._chunks = sorted(summary.chunk_indexes, key=lambda chunk: chunk.chunk_start_offset)
        self._start_ns = min((chunk.message_start_time for chunk in self._chunks), default=0)
        counts = summary.statistics.channel_message_counts if summary.statistics else {}
        self.frames = sum(n for channel, n in counts.items() if self._topics[channel] == FRAME)
        self.identities: dict[tuple[int, int], tuple[IdentityKind, Identity]] = {}
        for name, entry in metadata:
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

    @property
    def chunks(self) -> int:
        """Parts that are read one at a time, in the order of the file."""
        return len(self._chunks)

    @property
    def start_ns(self) -> int:
        """Wall-clock time of the first message."""
        return self._start_ns

    def span_s(self, chunk: int) -> tuple[float, float]:
        """When a part begins and ends, after the recording's beginning; no pixel is read."""
        found = self._chunks[chunk]
        times = found.message_start_time, found.message_end_time
        return (times[0] - self._start_ns) / 1e9, (times[1] - self._start_ns) / 1e9

    def welcomes(self, chunk: int) -> bool:
        """Whether a WELCOME is in that part."""
        offsets = self._chunks[chunk].message_index_offsets
        return WELCOME in {self._topics[channel] for channel in offsets}

    def stamped(self, chunk: int) -> list[Stamped]:
        """The messages of a part, as they were stored.

        Raises:
            DataError: the file is damaged.
        """
        with self._named():
            return [
                Stamped(
                    self._topics[message.channel_id],
                    (message.log_time - self._start_ns) / 1e9,
                    message.log_time,
                    message.publish_time,
                    message.sequence,
                    message.data,
                )
                for message in self._messages(self._chunks[chunk])
            ]

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

    def _messages(self, chunk: Any) -> list[Any]:
        # Chunk by chunk: the reader of mcap 1.6 unpacks the whole file before the first message
        # when it is asked for the order of arrival.
        from mcap.records import Message, MessageIndex
        from mcap.stream_reader import StreamReader

        self._file.seek(chunk.chunk_start_offset)
        messages = []
        for record in StreamReader(self._file, skip_magic=True, validate_crcs=True).records:
            if isinstance(record, Message):
                messages.append(record)
            elif isinstance(record, MessageIndex):  # follows the chunk
                break
        return messages

    @contextmanager
    def _named(self, remedy: str = "record it again") -> Iterator[None]:
        """Whatever a damaged file makes of its reader becomes one line with the file's name."""
        from mcap.exceptions import McapError

        broken: tuple[type[Exception], ...] = (
            *(McapError, struct.error, ValueError, KeyError, IndexError, EOFError, StopIteration),
            *(MemoryError, OverflowError, OSError, RuntimeError, ProtocolError),
        )
        try:
            yield
        except (*broken, *_decompressor_errors()) as error:
            text = str(error) or type(error).__name__
            raise DataError(f"{self.path} cannot be read ({text}): {remedy}") from error


def _decompressor_errors() -> tuple[type[Exception], ...]:
    import zstandard

    return (zstandard.ZstdError,)


def _parse(data: bytes) -> Record:
    (length,) = struct.unpack_from("<H", data, 6)
    message = decode(data, min(length, len(data)))
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
