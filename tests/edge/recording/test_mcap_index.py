"""The index of a recording: what mcap's own reader says of it, in a fraction of the memory."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import pytest

pytest.importorskip("mcap")

from mcap.reader import SeekingReader
from mcap.records import Footer
from mcap.stream_reader import StreamReader
from mcap.writer import CompressionType, Writer
from record_parts import make_recording

from roadmask.errors import DataError
from roadmask.recording.mcap_file import McapFile

PARTS = 20_000
TOPICS = ("one", "the other")


@pytest.fixture(scope="module")
def many_parts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A message each, two in the parts that begin a thousand; later ones may stand before."""
    path = tmp_path_factory.mktemp("index") / "many.mcap"
    with path.open("wb") as file:
        writer = Writer(file, chunk_size=1 << 20, compression=CompressionType.NONE)
        writer.start("many", "a test")
        channels = [writer.register_channel(topic, "", 0) for topic in TOPICS]
        writer.add_metadata("about", {"parts": str(PARTS)})
        for number in range(PARTS):
            at = 10**18 + 1000 * (number ^ 1)
            for channel in channels[: 1 + (number % 1000 == 0)]:
                writer.add_message(channel, log_time=at, publish_time=at, data=bytes(8))
            writer._Writer__finalize_chunk()  # type: ignore[attr-defined]
        writer.finish()  # type: ignore[no-untyped-call]
    return path


def test_it_is_what_mcap_says(many_parts: Path, tmp_path: Path) -> None:
    for path, profile in ((many_parts, "many"), (make_recording(tmp_path), "roadmask")):
        with path.open("rb") as file:
            reader = SeekingReader(file)
            summary = reader.get_summary()
            metadata = [(entry.name, dict(entry.metadata)) for entry in reader.iter_metadata()]
        assert summary is not None and summary.statistics is not None
        topics = {channel.id: channel.topic for channel in summary.channels.values()}
        expected = sorted(
            (
                part.chunk_start_offset,
                part.message_start_time,
                part.message_end_time,
                {topics[channel] for channel in part.message_index_offsets},
            )
            for part in summary.chunk_indexes
        )
        with McapFile(path, profile) as opened:
            index = opened._index
            stored = [index.offsets, index.begins_ns, index.ends_ns]
            holds = [index.holds[kind] for kind in index.kinds]
            assert list(zip(*(c.tolist() for c in stored), holds, strict=True)) == expected
            assert opened.metadata == metadata and opened.chunks == len(expected)
            counts = summary.statistics.channel_message_counts
            assert opened.counts == {topics[channel]: n for channel, n in counts.items()}
            first = min(begin for _, begin, _, _ in expected)
            spans = [[(begin - first) / 1e9, (end - first) / 1e9] for _, begin, end, _ in expected]
            assert opened.start_ns == first and opened.spans_s().tolist() == spans


def test_a_part_takes_few_bytes(many_parts: Path) -> None:
    tracemalloc.start()
    try:
        with McapFile(many_parts, "many"):
            kept, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # mcap's own reader: 600 at most, of which 230 were kept.
    assert kept / PARTS < 60 and most / PARTS < 150


def test_a_broken_index_is_one_sentence(many_parts: Path, tmp_path: Path) -> None:
    whole, path = many_parts.read_bytes(), tmp_path / "a.mcap"
    with many_parts.open("rb") as file:
        file.seek(-37, 2)
        footer = next(StreamReader(file, skip_magic=True).records)
    assert isinstance(footer, Footer)
    start = footer.summary_start
    for place, what in (
        (start + 1, bytes([255] * 8)),  # a record longer than the file, and than memory
        (start + 1, (1 << 23).to_bytes(8, "little")),  # longer than the file alone
        (len(whole) - 28, (len(whole) - 40).to_bytes(8, "little")),  # the index is elsewhere
        (len(whole) - 28, bytes([255] * 8)),
        (len(whole) - 1, b"?"),
    ):
        broken = bytearray(whole)
        broken[place : place + len(what)] = what
        path.write_bytes(broken)
        with pytest.raises(DataError, match="cut off") as caught:
            McapFile(path, "many")
        assert str(path) in str(caught.value) and "\n" not in str(caught.value)
    broken = bytearray(whole)
    broken[len(whole) - 28 : len(whole) - 20] = bytes(8)
    path.write_bytes(broken)
    with pytest.raises(DataError, match="no index"):
        McapFile(path, "many")
