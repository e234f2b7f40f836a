"""A range of a recording as a recording of its own, made as it is sent: nothing is kept."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import numpy as np

from roadmask import __version__
from roadmask.recording.reader import (
    ABOUT,
    FRAME,
    IDENTITY,
    MODE,
    PROFILE,
    TOTALS,
    WELCOME,
    Recording,
    mode_message,
)
from roadmask.recording.writer import LAYOUT, TOPICS, identity_entry

MARK = "roadmask.mark"


class _Pipe:
    """A file that is written to here and taken from there."""

    def __init__(self) -> None:
        self._data, self._at = bytearray(), 0

    def write(self, data: bytes) -> int:
        self._data += data
        self._at += len(data)
        return len(data)

    def tell(self) -> int:
        return self._at

    def flush(self) -> None:
        pass

    def take(self) -> bytes:
        data = bytes(self._data)
        self._data.clear()
        return data


def cut(
    recording: Recording,
    start_s: float,
    end_s: float,
    marks: Iterable[Mapping[str, str]] = (),
) -> Iterator[bytes]:
    """The bytes of an MCAP file with what came from ``start_s`` to ``end_s``.

    The WELCOMEs before the range come along: they say what holds for its frames. The file that is
    cut from is read part by part, under whatever lock the caller holds around each ``next``.
    Messages for other tools (``--foxglove``) stay behind.

    Args:
        recording: where from.
        start_s, end_s: seconds after its beginning.
        marks: notes to keep with it, as metadata.

    Raises:
        DataError: the file is damaged.
    """
    from mcap.writer import Writer

    pipe = _Pipe()
    writer = Writer(pipe)  # type: ignore[arg-type]
    writer.start(PROFILE, f"roadmask {__version__}")
    schema = writer.register_schema("roadmask.Message", "roadmask", LAYOUT)
    channels = {topic: writer.register_channel(topic, "roadmask", schema) for topic in TOPICS}
    writer.add_metadata(ABOUT, recording.about)
    for (stream_id, index), (kind, identity) in recording.identities.items():
        writer.add_metadata(IDENTITY, identity_entry(stream_id, index, kind, identity))
    for mark in marks:
        writer.add_metadata(MARK, dict(mark))
    frames, told = 0, None
    begins, ends = recording.spans_s().T
    wanted = (begins <= end_s) & ((ends >= start_s) | recording.welcomes())
    for chunk in np.flatnonzero(wanted):
        for message in recording.stamped(int(chunk)):
            if message.topic not in channels or message.topic == MODE:
                continue  # for other tools, or written anew
            inside = start_s <= message.at_s <= end_s
            if not inside and not (message.topic == WELCOME and message.at_s < start_s):
                continue
            frames += message.topic == FRAME
            stored = [(message.topic, message.data)]
            said = recording.told(message)
            if said is not None and said[:2] != told:
                told = said[:2]
                stored.insert(0, (MODE, mode_message(message.data)))
            for topic, data in stored:
                writer.add_message(
                    channels[topic],
                    log_time=message.log_ns,
                    publish_time=message.publish_ns,
                    sequence=message.sequence,
                    data=data,
                )
        if part := pipe.take():
            yield part
    writer.add_metadata(TOTALS, {"frames": str(frames)})
    writer.finish()  # type: ignore[no-untyped-call]
    yield pipe.take()
