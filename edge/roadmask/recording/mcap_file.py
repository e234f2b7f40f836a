"""An MCAP file read part by part: its index in memory, one chunk of messages at a time."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from roadmask.errors import ConfigError, DataError, ProtocolError
from roadmask.recording.mcap_index import read_index
from roadmask.system.bounded import open_regular

_MAGIC = b"\x89MCAP0\r\n"
Self = TypeVar("Self", bound="McapFile")


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
        import mcap.reader
        import mcap.writer  # noqa: F401 (not in the middle of a drive)
    except ImportError as error:
        raise ConfigError(
            f"recordings need the package mcap ({error}): pip install 'roadmask[record]'"
        ) from error


class McapFile:
    """An opened file; a context manager.

    Args:
        path: the file.
        profile: what it must say that it holds.

    Attributes:
        counts: messages by topic.
        metadata: name and entries of each.

    Raises:
        DataError: no MCAP file, cut off, of another profile.
        ConfigError: mcap is not installed.
    """

    def __init__(self, path: str | Path, profile: str) -> None:
        require_mcap()
        from mcap.reader import SeekingReader

        self.path = Path(path)
        try:
            self._file = open_regular(self.path)
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
                given = SeekingReader(self._file).get_header().profile
            with self._named("it is cut off; 'mcap recover' of the MCAP tools saves what is whole"):
                index = read_index(self._file, _MAGIC)
            if given != profile:
                raise DataError(f"{path} holds {given or 'other'!r} data, expected {profile!r}")
            if index is None:
                raise DataError(f"{path} has no index: 'mcap recover' of the MCAP tools writes one")
            self._index = index
            self._start_ns = int(index.begins_ns.min()) if index.begins_ns.size else 0
            self.counts, self.metadata = index.counts, index.metadata
            with self._named():
                self._opened()
        except BaseException:
            self._file.close()
            raise

    def _opened(self) -> None:
        """Read what stands in the metadata."""

    def __enter__(self: Self) -> Self:
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

    @property
    def chunks(self) -> int:
        """Parts that are read one at a time, in the order of the file."""
        return len(self._index.offsets)

    @property
    def start_ns(self) -> int:
        """Wall-clock time of the first message."""
        return self._start_ns

    def spans_s(self) -> npt.NDArray[np.float64]:
        """When each part begins and ends, ``(n, 2)``, after the recording's beginning."""
        ends = self._index.begins_ns, self._index.ends_ns
        start_ns = np.uint64(self._start_ns)
        return np.stack([(times - start_ns).view(np.int64) / 1e9 for times in ends], axis=1)

    def stamped(self, chunk: int) -> list[Stamped]:
        """The messages of a part, as they were stored.

        Raises:
            DataError: the file is damaged.
        """
        with self._named():
            return [
                Stamped(
                    self._index.topics[message.channel_id],
                    (message.log_time - self._start_ns) / 1e9,
                    message.log_time,
                    message.publish_time,
                    message.sequence,
                    message.data,
                )
                for message in self._messages(chunk)
            ]

    def _messages(self, chunk: int) -> list[Any]:
        # Chunk by chunk: the reader of mcap 1.6 unpacks the whole file before the first message
        # when it is asked for the order of arrival.
        from mcap.records import Message, MessageIndex
        from mcap.stream_reader import StreamReader

        self._file.seek(int(self._index.offsets[chunk]))
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
            *(TypeError, AttributeError),  # JSON of other shapes
        )
        try:
            yield
        except (*broken, *_decompressor_errors()) as error:
            text = str(error) or type(error).__name__
            raise DataError(f"{self.path} cannot be read ({text}): {remedy}") from error


def _decompressor_errors() -> tuple[type[Exception], ...]:
    import zstandard

    return (zstandard.ZstdError,)


def profile_of(path: str | Path) -> str | None:
    """What an MCAP file says that it holds; None where it is none."""
    require_mcap()
    from mcap.exceptions import McapError
    from mcap.reader import SeekingReader

    try:
        with open_regular(path) as file:
            return str(SeekingReader(file).get_header().profile)
    except (OSError, McapError, ValueError, struct.error, EOFError):
        return None
