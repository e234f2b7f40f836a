"""What a subscriber checks before it touches a byte of the ring: every bound, by name.

``edge/cpp/src/checks.cpp`` makes the same checks under the same names.
"""

from __future__ import annotations

import math

from roadmask.errors import Check, ProtocolError
from roadmask.stream.modes import Flag
from roadmask.stream.protocol import (
    IDENTITY_BYTES,
    NO_IDENTITY,
    FrameHeader,
    Welcome,
    frame_indices,
)
from roadmask.system.ranges import between

MAX_SLOTS = 64
MAX_RING_BYTES = 1 << 32
MAX_SIDE_PX = 16384
MAX_CAMERA_PX = 65535
MAX_LIMIT_MS = 60_000
MAX_AGE_MS = between(1, MAX_LIMIT_MS)  # that a publisher may promise
# As plain numbers: an enumeration's operators cost microseconds, and these are for each frame.
_CONFIDENCE, _PREVIEW = int(Flag.CONFIDENCE), int(Flag.PREVIEW)


def check_welcome(welcome: Welcome, file_bytes: int) -> None:
    """Every bound of the ring that ``welcome`` announces, against the real size of its file.

    Raises:
        ProtocolError: ``ring_size``, ``ring_layout``, ``limits`` or ``stream_id``.
    """
    w = welcome
    if w.ring_bytes > file_bytes or not 0 < w.ring_bytes <= MAX_RING_BYTES:
        raise ProtocolError(Check.RING_SIZE, f"ring of {w.ring_bytes} bytes in {file_bytes}")
    if not 2 <= w.slots <= MAX_SLOTS:
        raise ProtocolError(Check.RING_LAYOUT, f"{w.slots} slots, expected 2 to {MAX_SLOTS}")
    if w.generation_stride < 8 or w.generation_stride % 8 or w.generation_offset % 8:
        raise ProtocolError(
            Check.RING_LAYOUT,
            f"generations at {w.generation_offset} every {w.generation_stride}, expected "
            "multiples of 8",
        )
    tables = (
        ("generations", w.generation_offset, w.generation_stride, w.slots),
        ("identities", w.identity_offset, w.identity_stride, w.identity_count),
        ("slots", w.slots_offset, w.slot_bytes, w.slots),
    )
    for name, offset, stride, count in tables:
        if offset > w.ring_bytes or stride * count > w.ring_bytes - offset:
            raise ProtocolError(
                Check.RING_LAYOUT,
                f"{name}: {count} x {stride} bytes at {offset} exceed the ring's {w.ring_bytes}",
            )
    if w.slot_bytes < 1 or w.slots_offset < 8:
        raise ProtocolError(Check.RING_LAYOUT, f"slots of {w.slot_bytes} bytes at {w.slots_offset}")
    if w.identity_count > NO_IDENTITY or (w.identity_count and w.identity_stride < IDENTITY_BYTES):
        raise ProtocolError(
            Check.RING_LAYOUT, f"{w.identity_count} identities x {w.identity_stride}"
        )
    for name, value in (
        ("heartbeat", w.heartbeat_ms),
        ("silence", w.silence_ms),
        ("age", w.max_age_ms),
    ):
        if not 1 <= value <= MAX_LIMIT_MS:
            raise ProtocolError(Check.LIMITS, f"{name} limit of {value} ms, expected 1 to 60000")
    if w.stream_id == 0:
        raise ProtocolError(Check.STREAM_ID, "stream id is 0")


def check_message(header: FrameHeader, welcome: Welcome, last_sequence: int, now_ns: int) -> None:
    """What FRAME, STATUS and BYE have in common.

    Raises:
        ProtocolError: ``stream_id``, ``sequence``, ``clock``.
    """
    if header.stream_id != welcome.stream_id:
        raise ProtocolError(
            Check.STREAM_ID, f"message of stream {header.stream_id:x} in {welcome.stream_id:x}"
        )
    if header.sequence < last_sequence:
        raise ProtocolError(Check.SEQUENCE, f"{header.sequence} after {last_sequence}")
    if header.publish_ns > header.sent_ns:
        raise ProtocolError(Check.CLOCK, f"published {header.publish_ns}, sent {header.sent_ns} ns")
    if header.sent_ns > now_ns:
        raise ProtocolError(
            Check.CLOCK,
            f"sent {header.sent_ns}, received {now_ns} ns: expected rising times of one "
            "CLOCK_BOOTTIME",
        )


def check_frame(header: FrameHeader, welcome: Welcome, last_sequence: int) -> None:
    """Every bound of a FRAME, after ``check_message``.

    Raises:
        ProtocolError: ``sequence``, ``slot``, ``mask_size``, ``mask_bounds``,
            ``confidence_bounds``, ``preview_bounds``, ``transform``, ``camera_size``,
            ``identity`` or ``limits``.
    """
    h = header
    if h.sequence <= last_sequence:
        raise ProtocolError(Check.SEQUENCE, f"{h.sequence} after {last_sequence}")
    if h.slot >= welcome.slots:
        raise ProtocolError(Check.SLOT, f"slot {h.slot} of {welcome.slots}")
    if not (1 <= h.mask_width <= MAX_SIDE_PX and 1 <= h.mask_height <= MAX_SIDE_PX):
        raise ProtocolError(Check.MASK_SIZE, f"mask of {h.mask_width} x {h.mask_height} px")
    first = welcome.slots_offset + h.slot * welcome.slot_bytes
    end = first + welcome.slot_bytes
    _check_plane(
        Check.MASK_BOUNDS, h.mask_offset, h.mask_stride, h.mask_width, h.mask_height, first, end
    )
    if bool(h.flag_bits & _CONFIDENCE) != bool(h.confidence_offset):
        raise ProtocolError(Check.CONFIDENCE_BOUNDS, "flag and offset of the plane disagree")
    if h.confidence_offset:
        _check_plane(
            Check.CONFIDENCE_BOUNDS,
            h.confidence_offset,
            h.confidence_stride,
            h.mask_width,
            h.mask_height,
            first,
            end,
        )
    if bool(h.flag_bits & _PREVIEW) != bool(h.preview_offset):
        raise ProtocolError(Check.PREVIEW_BOUNDS, "flag and offset of the plane disagree")
    if h.preview_offset:
        if not (1 <= h.preview_width <= MAX_SIDE_PX and 1 <= h.preview_height <= MAX_SIDE_PX):
            raise ProtocolError(
                Check.PREVIEW_BOUNDS, f"preview of {h.preview_width} x {h.preview_height} px"
            )
        _check_plane(
            Check.PREVIEW_BOUNDS,
            h.preview_offset,
            h.preview_stride,
            3 * h.preview_width,
            h.preview_height,
            first,
            end,
        )
    if not (
        0 < h.scale_x < math.inf
        and 0 < h.scale_y < math.inf
        and math.isfinite(h.offset_x)
        and math.isfinite(h.offset_y)
    ):
        transform = (h.scale_x, h.scale_y, h.offset_x, h.offset_y)
        raise ProtocolError(Check.TRANSFORM, f"scale and offset {transform}")
    if not (1 <= h.camera_width <= MAX_CAMERA_PX and 1 <= h.camera_height <= MAX_CAMERA_PX):
        raise ProtocolError(Check.CAMERA_SIZE, f"camera of {h.camera_width} x {h.camera_height} px")
    for index in frame_indices(h):
        if index >= welcome.identity_count and index != NO_IDENTITY:
            raise ProtocolError(Check.IDENTITY, f"index {index} of {welcome.identity_count}")
    if not 1 <= h.max_age_ms <= MAX_LIMIT_MS:
        raise ProtocolError(Check.LIMITS, f"maximum age of {h.max_age_ms} ms, expected 1 to 60000")


def _check_plane(
    check: Check, offset: int, stride: int, row_bytes: int, rows: int, first: int, end: int
) -> None:
    if stride < row_bytes or offset < first or offset + stride * (rows - 1) + row_bytes > end:
        raise ProtocolError(
            check,
            f"{rows} rows of {row_bytes} bytes every {stride} at {offset} exceed the slot's "
            f"{first} to {end}",
        )
