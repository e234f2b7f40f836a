"""Long recordings for the tests of the timeline, made faster than they would take to drive."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from roadmask.recording.reader import FRAME, WELCOME, Recording
from roadmask.recording.writer import RecordingFile
from roadmask.stream.modes import Mode, Reason
from roadmask.stream.protocol import FrameHeader, Welcome, encode

Trouble = Mapping[tuple[float, float], tuple[Mode, Reason]]
START_NS = 10**12


def long_drive(
    short: Path,
    target: Path,
    seconds: float,
    fps: int = 30,
    trouble: Trouble | None = None,
    silent: tuple[float, float] = (0.0, 0.0),
    picture_px: tuple[int, int] | None = None,
) -> Path:
    """A recording of so many seconds, of the first frame of ``short``, with trouble in it.

    Args:
        short: a recording of ``roadmask record``.
        target: the file to make.
        silent: from when to when nothing comes.
        picture_px: width and height of a preview that no compression makes smaller; None: as it is.
        trouble: ``(from, to)`` in seconds → mode and reasons; OK everywhere else.
    """
    with Recording(short) as source:
        messages = [m for chunk in range(source.chunks) for m in source.stamped(chunk)]
        welcome_data = next(m.data for m in messages if m.topic == WELCOME)
        frame_data = next(m.data for m in messages if m.topic == FRAME)
        welcome = source.parse(welcome_data).message
        frame = source.parse(frame_data).message
        identities = source.identities
    assert isinstance(welcome, Welcome) and isinstance(frame, FrameHeader)
    planes = frame_data[frame.length :]
    if picture_px:
        width, height = picture_px
        planes = planes[: -3 * frame.preview_width * frame.preview_height]
        planes += np.random.default_rng(1).bytes(3 * width * height)
        frame = frame._replace(preview_width=width, preview_height=height)
    with RecordingFile(target) as out:
        welcome = welcome._replace(sent_ns=START_NS)
        out.add(welcome, encode(welcome))
        for (stream_id, index), (kind, identity) in identities.items():
            out.add_identity(stream_id, index, kind, identity)
        for number in range(round(seconds * fps)):
            at_s = number / fps
            if silent[0] < at_s < silent[1]:
                continue
            mode, reasons = Mode.OK, Reason.NONE
            for (begin, end), found in (trouble or {}).items():
                if begin <= at_s < end:
                    mode, reasons = found
            capture_ns = START_NS + round(at_s * 1e9)
            header = frame._replace(
                sequence=number + 1,
                capture_ns=capture_ns,
                publish_ns=capture_ns + 7_000_000,
                sent_ns=capture_ns + 7_000_000,
                mode_bits=frame.mode_bits & 0xFC | mode | reasons,
            )
            out.add(header, encode(header) + planes)
    return target
