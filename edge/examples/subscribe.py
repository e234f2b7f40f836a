"""Free distance ahead, from the newest mask: what a decision system does with the stream.

python edge/examples/subscribe.py SOCKET [FRAMES] [--allow-not-live]

edge/cpp/examples/subscribe.cpp does the same in the same order.
"""

from __future__ import annotations

import argparse
import math

import numpy as np

from roadmask import Mask, Mode, Subscriber
from roadmask.stream.modes import names
from roadmask.stream.protocol import DEFAULT_SOCKET

# The camera's place in the vehicle: measure yours.
CAMERA_HEIGHT_M = 1.3  # above the road
FIELD_OF_VIEW_DEG = 60.0  # horizontal
HORIZON = 0.5  # row of the horizon, as a fraction of the picture
CORRIDOR_M = 2.0  # width that the vehicle needs
FARTHEST_M = 60.0  # what is farther is not judged
CAREFUL_M = 20.0  # a DEGRADED mask is believed no farther
FREE_SHARE = 0.9  # of a row of the corridor: what is not flat there may be a line or a leaf
FLAT, HUMAN, VEHICLE = 1, 6, 7


def free_distance_m(mask: Mask) -> float:
    """Metres of road ahead, up to the first row whose corridor is not free.

    Over a flat ground, a row r below the horizon shows the road at
    height x focal length / (r - horizon).
    """
    camera_width, camera_height = mask.camera_size
    (scale_x, scale_y), (offset_x, offset_y) = mask.scale, mask.offset
    focal_px = camera_width / 2 / math.tan(math.radians(FIELD_OF_VIEW_DEG / 2))
    horizon_px = HORIZON * camera_height
    free_m = 0.0
    for row in range(mask.size[1] - 1, -1, -1):
        below_px = scale_y * row + offset_y - horizon_px
        if not below_px > 0:
            break
        distance_m = CAMERA_HEIGHT_M * focal_px / below_px
        if not distance_m <= FARTHEST_M:
            break
        half_px = CORRIDOR_M / 2 * focal_px / distance_m
        # Kept within the mask before they become whole numbers: a scale may be anything.
        left = max(0.0, (camera_width / 2 - half_px - offset_x) / scale_x)
        right = min(mask.size[0] - 1.0, (camera_width / 2 + half_px - offset_x) / scale_x)
        if not left <= right:
            break
        if not is_free(mask.pixels[row, math.floor(left) : math.ceil(right) + 1]):
            break
        free_m = distance_m
    return free_m


def is_free(corridor: np.ndarray) -> bool:
    """Whether the vehicle may pass: one pixel of a human or a vehicle is never averaged away."""
    if np.isin(corridor, (HUMAN, VEHICLE)).any():
        return False
    return bool(np.count_nonzero(corridor == FLAT) >= FREE_SHARE * corridor.size)


def decide(mask: Mask) -> str:
    """What the mask is good for."""
    free_m = free_distance_m(mask)
    if mask.mode is Mode.OK:
        return f"free {free_m:.2f} m"
    return f"free {min(free_m, CAREFUL_M):.2f} m, carefully"


def main() -> None:
    """Print a line per mask, and one with the reason whenever there is none for 250 ms."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("socket", nargs="?", default=DEFAULT_SOCKET)
    parser.add_argument("frames", nargs="?", type=int, default=-1)
    parser.add_argument("--allow-not-live", action="store_true")
    arguments = parser.parse_args()

    # What nobody should drive on is refused already: see `refuse` for the reasons.
    with Subscriber(arguments.socket, allow_not_live=arguments.allow_not_live) as subscriber:
        seen = 0
        while seen != arguments.frames:
            mask = subscriber.receive(timeout_s=0.25)
            if mask is None:
                print(f"stop: no mask: {subscriber.reason_text}", flush=True)
                continue
            seen += 1
            reasons = f" {names(mask.reasons)}" if mask.reasons else ""
            print(
                f"mask {mask.sequence} {mask.mode.name}{reasons} age {mask.age_ms:.1f} ms, "
                f"{decide(mask)}",
                flush=True,
            )


if __name__ == "__main__":
    main()
