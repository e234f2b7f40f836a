"""What is shown of one frame, wherever it came from: a stream, or a recording being made."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

from roadmask.arrays import U8
from roadmask.imaging.encoding import encode_picture
from roadmask.stream.camera_geometry import CameraGeometry
from roadmask.stream.modes import Mode, Reason, names
from roadmask.stream.protocol import FrameHeader, Identity
from roadmask.stream.subscribe.mask import Mask

CAMERA_FRAME, VEHICLE_FRAME = "camera", "vehicle"


class View(NamedTuple):
    """One frame; a product measures it as it measures a ``Mask``.

    Attributes:
        time_ns: of the capture, CLOCK_REALTIME.
        pixels: ``(H, W) uint8`` category ids.
        preview: ``(h, w, 3) uint8`` RGB, or None.
        colors_rgb: of the categories.
        camera_size, scale, offset, geometry: as of ``Mask``.
    """

    time_ns: int
    pixels: U8
    preview: U8 | None
    colors_rgb: tuple[tuple[int, int, int], ...]
    camera_size: tuple[int, int]
    scale: tuple[float, float]
    offset: tuple[float, float]
    geometry: CameraGeometry | None


def view_of(mask: Mask, offset_ns: int) -> View:
    """What is shown of a mask; ``offset_ns`` is CLOCK_REALTIME less CLOCK_BOOTTIME."""
    return View(
        mask.capture_timestamp_ns + offset_ns,
        mask.pixels,
        mask.preview,
        colors_of(mask.labels),
        mask.camera_size,
        mask.scale,
        mask.offset,
        mask.geometry,
    )


def recorded_view(
    header: FrameHeader,
    data: bytes,
    time_ns: int,
    labels: Identity | None,
    geometry: CameraGeometry | None,
) -> View:
    """What is shown of a FRAME and the planes behind it, as a recorder has them."""
    size = header.mask_height, header.mask_width
    planes = np.frombuffer(data, np.uint8, offset=header.length)
    mask, rest = np.split(planes, [size[0] * size[1]])
    if header.confidence_offset:
        rest = rest[size[0] * size[1] :]
    preview = None
    if header.preview_offset:
        shape = header.preview_height, header.preview_width, 3
        preview = rest[: shape[0] * shape[1] * 3].reshape(shape)
    return View(
        time_ns,
        mask.reshape(size),
        preview,
        colors_of(labels),
        (header.camera_width, header.camera_height),
        (header.scale_x, header.scale_y),
        (header.offset_x, header.offset_y),
        geometry,
    )


def colors_of(labels: Identity | None) -> tuple[tuple[int, int, int], ...]:
    """The label set's colours; greys where it tells none."""
    told = labels.colors_rgb if labels else ()
    return told or tuple((30 * i, 30 * i, 30 * i) for i in range(8))


def coloured_png(view: View) -> bytes:
    """The mask in its label set's colours."""
    table = np.zeros((256, 3), np.uint8)
    table[: len(view.colors_rgb)] = view.colors_rgb
    return encode_picture(".png", table[view.pixels][..., ::-1])


def preview_jpeg(view: View) -> bytes | None:
    """The preview; None without."""
    if view.preview is None:
        return None
    return encode_picture(".jpg", cv2.cvtColor(view.preview, cv2.COLOR_RGB2BGR))


def mode_text(mode: Mode, reasons: Reason) -> str:
    """``DEGRADED: LOW_RATE``."""
    return f"{mode.name}: {names(reasons)}" if reasons else mode.name
