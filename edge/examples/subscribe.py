"""Free distance ahead, from the newest mask: what a decision system does with the stream.

python edge/examples/subscribe.py SOCKET [FRAMES] [--allow-not-live]

edge/cpp/examples/subscribe.cpp does the same in the same order.
"""

from __future__ import annotations

import argparse
import math

import numpy as np

from roadmask import Mask, Subscriber
from roadmask.stream.protocol import DEFAULT_SOCKET

# The camera's place in the vehicle: measure yours.
CAMERA_HEIGHT_M = 1.3  # above the road
FIELD_OF_VIEW_DEG = 60.0  # horizontal
HORIZON = 0.5  # row of the horizon, as a fraction of the picture
CORRIDOR_M = 2.0  # width that the vehicle needs
FARTHEST_M = 60.0  # what is farther is not judged
FREE_SHARE = 0.9  # of a row of the corridor
FLAT = 1


def free_distance_m(mask: Mask) -> float:
    """Metres of road ahead, up to the first row whose corridor is not flat.

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
        if below_px <= 0:
            break
        distance_m = CAMERA_HEIGHT_M * focal_px / below_px
        if distance_m > FARTHEST_M:
            break
        half_px = CORRIDOR_M / 2 * focal_px / distance_m
        left = (camera_width / 2 - half_px - offset_x) / scale_x
        right = (camera_width / 2 + half_px - offset_x) / scale_x
        first, last = max(0, math.floor(left)), min(mask.size[0] - 1, math.ceil(right))
        if first > last:
            break
        flat = np.count_nonzero(mask.pixels[row, first : last + 1] == FLAT)
        if flat < FREE_SHARE * (last - first + 1):
            break
        free_m = distance_m
    return free_m


def main() -> None:
    """Print a line per mask, and one with the reason whenever there is none for 250 ms."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("socket", nargs="?", default=DEFAULT_SOCKET)
    parser.add_argument("frames", nargs="?", type=int, default=-1)
    parser.add_argument("--allow-not-live", action="store_true")
    arguments = parser.parse_args()

    with Subscriber(arguments.socket, allow_not_live=arguments.allow_not_live) as subscriber:
        seen = 0
        while seen != arguments.frames:
            mask = subscriber.receive(timeout_s=0.25)
            if mask is None:
                print(f"no mask: {subscriber.reason_text}", flush=True)
                continue
            seen += 1
            print(
                f"mask {mask.sequence} {mask.mode.name} age {mask.age_ms:.1f} ms, "
                f"free {free_distance_m(mask):.2f} m",
                flush=True,
            )


if __name__ == "__main__":
    main()
