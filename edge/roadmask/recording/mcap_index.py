"""The index of an MCAP file as arrays: a long drive has tens of thousands of parts.

The reader of mcap 1.6 makes objects of it: 23 MB for 31,000 parts, in which holes remain that the
next large thing does not fit. Here a part takes 28 bytes, and nothing else is made on the way.
"""

from __future__ import annotations

import struct
from array import array
from io import BytesIO
from typing import BinaryIO, NamedTuple

import numpy as np
import numpy.typing as npt

_FOOTER = struct.Struct("<BQQQI8s")  # record, its length, summary, its offsets, CRC; magic
_FOOTER_BYTES = 20
_RECORD = struct.Struct("<BQ")
_PART = struct.Struct("<QQQQI")  # begins, ends, offset, length; bytes of what follows
_TOPIC_BYTES = 10  # u16 channel, u64 where its messages are
_LARGEST_BYTES = 1 << 24  # of one record: a label set's identity has some kilobytes
U64 = npt.NDArray[np.uint64]


class Index(NamedTuple):
    """What the end of a file says of the rest, its parts in the order of the file, ``(n,)`` each.

    ``kinds`` are places in ``holds``: the same few sets of topics, again and again.
    """

    offsets: U64
    begins_ns: U64
    ends_ns: U64
    kinds: npt.NDArray[np.uint32]
    holds: list[frozenset[str]]
    topics: dict[int, str]
    counts: dict[str, int]
    metadata: list[tuple[str, dict[str, str]]]

    def parts_with(self, topic: str) -> npt.NDArray[np.bool_]:
        """Which parts hold messages of a topic."""
        return np.array([topic in kind for kind in self.holds], np.bool_)[self.kinds]


def read_index(file: BinaryIO, magic: bytes) -> Index | None:
    """The index at the end of ``file``; None where it has none.

    Raises:
        ValueError, and whatever mcap makes of damage: the file is cut off or broken.
    """
    from mcap.data_stream import ReadDataStream
    from mcap.opcode import Opcode
    from mcap.records import Channel, Metadata, MetadataIndex, Statistics

    end = file.seek(-_FOOTER.size, 2)
    kind, length, start, _, _, last = _FOOTER.unpack(file.read())
    if (kind, length, last) != (Opcode.FOOTER, _FOOTER_BYTES, magic):
        raise ValueError("its end is missing")
    if not start:
        return None
    begins, ends, offsets, kinds = array("Q"), array("Q"), array("Q"), array("I")
    sets: dict[bytes, int] = {}  # channels of a part, as stored without where they are → its kind
    topics: dict[int, str] = {}
    messages: dict[int, int] = {}
    places: list[int] = []
    file.seek(start)
    while file.tell() < end:
        kind, data = _record(file)
        if kind == Opcode.CHUNK_INDEX:
            begin, finish, offset, _, size = _PART.unpack_from(data)
            stored = data[_PART.size : _PART.size + size]
            known = stored[0::_TOPIC_BYTES] + stored[1::_TOPIC_BYTES]
            begins.append(begin)
            ends.append(finish)
            offsets.append(offset)
            kinds.append(sets.setdefault(known, len(sets)))
        elif kind == Opcode.CHANNEL:
            channel = Channel.read(ReadDataStream(BytesIO(data)))
            topics[channel.id] = channel.topic
        elif kind == Opcode.STATISTICS:
            statistics = Statistics.read(ReadDataStream(BytesIO(data)))
            messages = statistics.channel_message_counts
        elif kind == Opcode.METADATA_INDEX:
            places.append(MetadataIndex.read(ReadDataStream(BytesIO(data))).offset)
    metadata = []
    for place in places:
        file.seek(place)
        entry = Metadata.read(ReadDataStream(BytesIO(_record(file)[1])))
        metadata.append((entry.name, dict(entry.metadata)))
    order = np.argsort(np.array(offsets, np.uint64), kind="stable")
    return Index(
        np.array(offsets, np.uint64)[order],
        np.array(begins, np.uint64)[order],
        np.array(ends, np.uint64)[order],
        np.array(kinds, np.uint32)[order],
        [frozenset(topics[channel] for channel in _channels(known)) for known in sets],
        topics,
        {topics[channel]: count for channel, count in messages.items()},
        metadata,
    )


def _record(file: BinaryIO) -> tuple[int, bytes]:
    kind, length = _RECORD.unpack(file.read(_RECORD.size))
    if length > _LARGEST_BYTES:
        raise ValueError(f"a record of {length} bytes in its index")
    data = file.read(length)
    if len(data) < length:
        raise ValueError("its index is cut off")
    return kind, data


def _channels(known: bytes) -> list[int]:
    half = len(known) // 2  # low bytes, then high ones
    return [low | high << 8 for low, high in zip(known[:half], known[half:], strict=True)]
