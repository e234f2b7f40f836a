"""One picture through a network, without a daemon: the mask and the share of each category.

python edge/examples/segment.py PICTURE MASK.png
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2

import roadmask
from roadmask.imaging.reading import read_image
from roadmask.imaging.writing import write_png


def main() -> None:
    """Write the mask (8 bit, category ids) and print a line a category."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("picture")
    parser.add_argument("mask")
    arguments = parser.parse_args()

    image_rgb = cv2.cvtColor(read_image(arguments.picture), cv2.COLOR_BGR2RGB)
    result = roadmask.load()(image_rgb)
    write_png(Path(arguments.mask), result.mask)
    for name, share in result.shares.items():
        print(f"{name:12} {100 * share:5.1f} %")


if __name__ == "__main__":
    main()
