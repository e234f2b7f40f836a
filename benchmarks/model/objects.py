"""People and vehicles by size and by how far away they stand: how much of them is found.

An object is a connected region of its category in the truth, so people who touch count as one. Its
lower edge stands for its distance: on a level road what is nearer stands lower in the picture.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from roadmask.arrays import Mask
from roadmask.data.datasets import Sample
from roadmask.labels.label_set import CATEGORY_NAMES

_SEEN = ("human", "vehicle")
_FOUND = 0.5  # of an object's pixels, from which it counts as found
# Upper ends, as shares of the picture: area, and height of the lower edge from the top.
_SIZES = ((0.0005, "under 0.05 %"), (0.002, "0.05 to 0.2 %"), (0.01, "0.2 to 1 %"), (1, "over 1 %"))
_EDGES = ((0.55, "far (over 45 % up)"), (0.65, "35 to 45 % up"), (0.8, "20 to 35 % up"),
    (1, "near (under 20 % up)"))  # fmt: skip
_BINS = {"size": _SIZES, "distance": _EDGES}


class ObjectBins:
    """Sees every frame with its mask."""

    def __init__(self) -> None:
        # By category, kind of bin, bin: objects, found ones, pixels, found pixels.
        self._counts = np.zeros((len(_SEEN), 2, 4, 4), np.int64)

    def observe(self, sample: Sample, mask: Mask) -> None:
        """Count one frame."""
        height, width = sample.mask.shape
        for place, name in enumerate(_SEEN):
            category = CATEGORY_NAMES.index(name)
            truth = (sample.mask == category).view(np.uint8)
            if not truth.any():
                continue
            count, regions, boxes, _ = cv2.connectedComponentsWithStats(truth, connectivity=8)
            areas = boxes[1:, cv2.CC_STAT_AREA]
            hits = np.bincount(regions[mask == category], minlength=count)[1:]
            lower = boxes[1:, cv2.CC_STAT_TOP] + boxes[1:, cv2.CC_STAT_HEIGHT]
            row = np.stack([np.ones_like(hits), hits >= _FOUND * areas, areas, hits], axis=1)
            for kind, (shares, bins) in enumerate(
                ((areas / (height * width), _SIZES), (lower / height, _EDGES))
            ):
                np.add.at(self._counts[place, kind], _bin_of(shares, bins), row)

    def report(self) -> dict[str, Any]:
        """The key ``objects``: category → kind of bin → a line a bin."""
        return {
            name: {
                kind: [
                    _line(text, self._counts[place, number, index])
                    for index, (_, text) in enumerate(bins)
                ]
                for number, (kind, bins) in enumerate(_BINS.items())
            }
            for place, name in enumerate(_SEEN)
        }


def _bin_of(
    shares: npt.NDArray[np.float64], bins: tuple[tuple[float, str], ...]
) -> npt.NDArray[np.intp]:
    ends = [end for end, _ in bins[:-1]]
    return np.digitize(shares, ends)


def _line(text: str, counts: npt.NDArray[np.int64]) -> dict[str, Any]:
    objects, found, pixels, hits = (int(n) for n in counts)
    return {
        "bin": text,
        "objects": objects,
        "found": found / objects if objects else None,
        "pixels_found": hits / pixels if pixels else None,
    }
