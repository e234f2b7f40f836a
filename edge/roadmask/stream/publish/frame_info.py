"""What the publisher is told: the stream's identity and form, a frame's header, a slot to fill."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from roadmask.errors import PublishError
from roadmask.stream.checks import MAX_SIDE_PX, MAX_SLOTS
from roadmask.stream.modes import Flag, Mode, Reason
from roadmask.stream.protocol import CATEGORY_COUNT, Identity, Stages
from roadmask.stream.ring import RingLayout
from roadmask.system.ranges import at_least, between
from roadmask.system.settings import check, setting

_UNKNOWN = Identity("unknown")
SIDE_PX = between(1, MAX_SIDE_PX)  # of a plane


@dataclass(frozen=True)
class StreamIdentity:
    """What the stream is made with; a frame refers to these seven as 0 to 6."""

    model: Identity = _UNKNOWN
    calibration: Identity = _UNKNOWN
    camera: Identity = _UNKNOWN
    labels: Identity = _UNKNOWN
    verification: Identity = _UNKNOWN
    geometry: Identity = _UNKNOWN
    ego: Identity = _UNKNOWN


@dataclass(frozen=True)
class RingForm:
    """What the ring holds beside the masks.

    Attributes:
        confidence: slots have a confidence plane.
        preview_size: (width, height) px of the network's RGB input, if it is published.
        slots: frames that the ring holds; a reader is lapped after ``slots - 1`` more frames.
        checksum: send CRC-32C of each mask; readers then check it.
        room: bytes that a slot has at least, for larger masks to come: see ``Publisher.fit``.
    """

    confidence: bool = False
    preview_size: tuple[int, int] | None = None
    slots: int = setting(8, "frames that the ring holds", within=between(2, MAX_SLOTS))
    checksum: bool = False
    room: int = setting(0, "bytes that a slot has at least", within=at_least(0))

    def __post_init__(self) -> None:
        check(self, PublishError)
        for side in self.preview_size or ():
            SIDE_PX.check(side, f"preview size {self.preview_size}: side", PublishError)


class Indices(NamedTuple):
    """Where a frame's identities stand in the stream's table."""

    model: int = 0
    calibration: int = 1
    camera: int = 2
    labels: int = 3
    verification: int = 4
    geometry: int = 5
    ego: int = 6


class FrameInfo(NamedTuple):
    """What is said about one frame.

    Attributes:
        capture_ns: CLOCK_BOOTTIME. Zero or in the future makes the frame a FAULT. With the flag
            AGE_UNKNOWN it is the time of arrival, and no capture time is sent.
        camera_size: (width, height) px.
        frame_id: the camera's own count.
        skipped: camera frames dropped since the last published one.
        infer_us: time of the network alone.
        flags: where the frame comes from; PREVIEW and CONFIDENCE are set by the publisher.
        scale, offset: camera pixel = scale x mask pixel + offset, (x, y).
        counts: pixels of each category, in any common unit.
        identity: indices into the identity table, in the order of ``StreamIdentity``.
        stages: where the time went besides the network.
    """

    capture_ns: int
    camera_size: tuple[int, int]
    frame_id: int = 0
    skipped: int = 0
    infer_us: int = 0
    mode: Mode = Mode.OK
    reasons: Reason = Reason.NONE
    flags: Flag = Flag.NONE
    scale: tuple[float, float] = (1.0, 1.0)
    offset: tuple[float, float] = (0.0, 0.0)
    counts: Sequence[int] = (0,) * CATEGORY_COUNT
    identity: tuple[int, int, int, int, int, int, int] = Indices()
    stages: Stages = Stages(0, 0, 0, 0)


@dataclass(frozen=True)
class Slot:
    """Views of the ring's next slot: what is written here, subscribers read, without a copy.

    Attributes:
        mask: ``(H, W) uint8``, C-contiguous.
        confidence: ``(H, W) uint8`` or None.
        preview: ``(h, w, 3) uint8`` RGB or None.
    """

    index: int
    start: int  # offset in the ring, bytes
    mask: npt.NDArray[np.uint8]
    confidence: npt.NDArray[np.uint8] | None
    preview: npt.NDArray[np.uint8] | None

    def clear(self) -> None:
        """Void everywhere."""
        for plane in (self.mask, self.confidence, self.preview):
            if plane is not None:
                plane[...] = 0


def slot_views(memory: memoryview, layout: RingLayout, index: int) -> Slot:
    """Slot ``index`` of the ring, as arrays over its memory."""
    start = layout.slots_offset + index * layout.slot_bytes
    data = np.frombuffer(memory, np.uint8, layout.slot_bytes, start)
    width, height = layout.mask_size

    def plane(offset: int, *shape: int) -> npt.NDArray[np.uint8]:
        return data[offset : offset + int(np.prod(shape))].reshape(shape)

    confidence = preview = None
    if layout.confidence:
        confidence = plane(layout.confidence_start, height, width)
    if layout.preview_size:
        preview = plane(layout.preview_start, layout.preview_size[1], layout.preview_size[0], 3)
    return Slot(index, start, plane(0, height, width), confidence, preview)


def plane_fields(layout: RingLayout, index: int) -> dict[str, Any]:
    """What a header says of the planes in slot ``index``."""
    start = layout.slots_offset + index * layout.slot_bytes
    width, height = layout.mask_size
    fields = {
        "mask_width": width,
        "mask_height": height,
        "mask_stride": width,
        "mask_offset": start,
    }
    if layout.confidence:
        fields["confidence_stride"] = width
        fields["confidence_offset"] = start + layout.confidence_start
    if layout.preview_size:
        fields["preview_width"], fields["preview_height"] = layout.preview_size
        fields["preview_offset"] = start + layout.preview_start
        fields["preview_stride"] = 3 * layout.preview_size[0]
    return fields
