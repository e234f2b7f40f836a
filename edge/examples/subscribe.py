"""Free distance ahead, from the newest mask: what a decision system does with the stream.

python edge/examples/subscribe.py SOCKET [FRAMES] [--allow-not-live]

edge/cpp/examples/subscribe.cpp does the same in the same order.
"""

from __future__ import annotations

import argparse

from roadmask import Mask, Mode, Subscriber, products
from roadmask.stream.modes import names
from roadmask.stream.protocol import DEFAULT_SOCKET

# The camera's place in the vehicle, where the daemon's [camera] does not tell it: measure yours.
CAMERA_HEIGHT_M = 1.3  # above the road
FIELD_OF_VIEW_DEG = 60.0  # horizontal
PITCH_DEG = 0.0  # how far it looks down
PITCH_UNCERTAINTY_DEG = 0.5  # the true pitch is no further off, on any road and at any load
CORRIDOR_M = 2.0  # width that the vehicle needs
FARTHEST_M = 60.0  # what is farther is not judged
CAREFUL_M = 20.0  # a DEGRADED mask is believed no farther


def free_distance(mask: Mask) -> products.FreeDistance:
    """The road ahead; one pixel that is not flat ends it, nothing is averaged away."""
    geometry = mask.geometry or products.CameraGeometry.pinhole(
        mask.camera_size,
        FIELD_OF_VIEW_DEG,
        CAMERA_HEIGHT_M,
        pitch_deg=PITCH_DEG,
        pitch_uncertainty_deg=PITCH_UNCERTAINTY_DEG,
    )
    return products.free_distance(mask, geometry, farthest_m=FARTHEST_M, corridor_m=CORRIDOR_M)


def decide(mask: Mask) -> str:
    """What the mask is good for: the least that is free counts, not the likeliest."""
    free = free_distance(mask)
    if not free.known:
        return f"stop: free distance unknown: {free.reason}"
    free_m = float(free.nearest["low_m"])
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
