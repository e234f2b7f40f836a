"""One's own vehicle in the picture: what never changes while the road does."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import cv2
import numpy as np

from roadmask.errors import DataError
from roadmask.sources import Frame
from roadmask.stream.camera_geometry import MAX_EGO_CORNERS

_WIDTH = 320  # px that are looked at
_FEWEST = 30
_STILL, _MOVING = 4.0, 12.0  # grey levels: standard deviation over the drive
_LEAST_SHARE = 0.005  # of the picture: what is smaller is no vehicle


def find_ego(frames: Iterable[Frame]) -> tuple[tuple[int, int], ...]:
    """Corners (x, y), px, of what stands still at the lower edge; none if nothing does.

    Args:
        frames: of a drive that passes light and shadow, one picture a second or so.

    Raises:
        DataError: under 30 pictures, or the road did not change.
    """
    total = squares = np.zeros(0)
    count, size = 0, (0, 0)
    for frame in frames:
        height, width = frame.image.shape[:2]
        if size not in ((0, 0), (width, height)):
            raise DataError(f"picture {count + 1} is {width}x{height} px, not {size[0]}x{size[1]}")
        size = width, height
        small = cv2.resize(
            cv2.cvtColor(frame.image, cv2.COLOR_BGR2GRAY),
            (_WIDTH, max(1, round(_WIDTH * height / width))),
            interpolation=cv2.INTER_AREA,
        ).astype(np.float64)
        total = total + small if count else small
        squares = squares + small * small if count else small * small
        count += 1
    if count < _FEWEST:
        raise DataError(f"{count} pictures; expected {_FEWEST} or more of a drive")
    deviation = np.sqrt(np.maximum(squares / count - (total / count) ** 2, 0))
    rows = len(deviation)
    if np.median(deviation[rows // 2 :]) < _MOVING and np.median(deviation) < _MOVING:
        raise DataError("the road hardly changes in these pictures; expected a drive")
    still: Any = (deviation < _STILL).astype(np.uint8)
    still = cv2.morphologyEx(still, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    still = cv2.morphologyEx(still, cv2.MORPH_CLOSE, np.ones((9, 9), np.uint8))
    _, parts = cv2.connectedComponents(still)
    below = np.unique(parts[-1][parts[-1] > 0])
    own: Any = np.isin(parts, below).astype(np.uint8)
    if own.sum() < _LEAST_SHARE * own.size:
        return ()
    own = cv2.dilate(own, np.ones((3, 3), np.uint8))
    outlines, _ = cv2.findContours(own, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    outline = max(outlines, key=cv2.contourArea)
    slack = 1.0
    while len(corners := cv2.approxPolyDP(outline, slack, True)) > MAX_EGO_CORNERS:
        slack *= 1.3
    scale_x, scale_y = size[0] / _WIDTH, size[1] / rows
    return tuple(
        (min(round((x + 0.5) * scale_x), size[0] - 1), min(round((y + 0.5) * scale_y), size[1] - 1))
        for x, y in corners.reshape(-1, 2).tolist()
    )
