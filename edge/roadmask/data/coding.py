"""Are these masks coded as they are said to be? Train ids under ``_labelIds.png`` say they are not.

Every split of street scenes holds road, buildings, vegetation, sky and vehicles, and buildings,
vegetation and sky lie higher in the picture than the road. Masks that show little of that as they
are said to be coded, and nearly all of it in another coding, are in that.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from roadmask.arrays import F64
from roadmask.errors import DataError
from roadmask.imaging.reading import read_mask
from roadmask.labels.catalogue import CITYSCAPES_8, CITYSCAPES_19
from roadmask.labels.label_set import CATEGORY_COUNT, CATEGORY_NAMES, VOID, LabelSet

_LOOKED_AT = 16  # masks of a split
_EVERYWHERE = list(map(CATEGORY_NAMES.index, ("flat", "construction", "nature", "sky", "vehicle")))
_FLAT = CATEGORY_NAMES.index("flat")
_ABOVE = list(map(CATEGORY_NAMES.index, ("construction", "nature", "sky")))
_PRESENT = 0.002  # share of the pixels
_HIGHER = 0.05  # of the picture's height
_TOLD_APART = 2  # of the eight signs, that one coding shows and the other does not
_CODINGS = ((CITYSCAPES_8, "category ids"), (CITYSCAPES_19, "train ids"))


def check_coding(masks: Sequence[Path], labels: LabelSet, what: str) -> None:
    """Refuse a split whose masks are coded otherwise than as ``labels``.

    Raises:
        DataError: says what they look like.
    """
    ids = _look(masks)
    own = _categories(ids, labels)
    for other, name in _CODINGS:
        if other.name == labels.name or ids[0][~_possible(other)].any():
            continue
        there = _categories(ids, other)
        if len(_present(there[0])) < len(_EVERYWHERE) - 1:
            continue
        if _evidence(there) >= _evidence(own) + _TOLD_APART:
            raise DataError(_sentence(own[0], labels, other, name, what))


def _sentence(own: F64, labels: LabelSet, other: LabelSet, name: str, what: str) -> str:
    lacking = [CATEGORY_NAMES[c] for c in range(1, CATEGORY_COUNT) if own[c] <= _PRESENT]
    return (
        f"the masks of {what} hold {name} ({other.name}): taken for {labels.name} they would be "
        f"{100 * own[VOID]:.0f} % void, with no {' or '.join(lacking) or 'plausible shares'}; "
        f"write them in {labels.name}, or name their label set with --truth-labels {other.name}"
    )


def _look(masks: Sequence[Path]) -> tuple[F64, F64]:
    """``(256,)``, twice: of each id its share of the pixels of some masks, and of their heights.

    The second is the share times the mean row, 0 at the top and 1 at the bottom.
    """
    counts, heights = np.zeros(256), np.zeros(256)
    for path in masks[:: -(-len(masks) // _LOOKED_AT)]:
        try:
            mask = read_mask(path)
        except DataError:  # whoever reads the frame is told
            continue
        rows = np.repeat(np.linspace(0, 1, len(mask)), mask.shape[1])
        counts += np.bincount(mask.ravel(), minlength=256)
        heights += np.bincount(mask.ravel(), rows, 256)
    total = max(1.0, float(counts.sum()))
    return counts / total, heights / total


def _categories(ids: tuple[F64, F64], labels: LabelSet) -> tuple[F64, F64]:
    """``(8,)``, twice: the same of the categories that ``labels`` make of them."""
    shares, heights = (
        np.bincount(labels.truth_table, values, CATEGORY_COUNT).astype(np.float64) for values in ids
    )
    return shares, heights


def _present(shares: F64) -> list[int]:
    return [category for category in _EVERYWHERE if shares[category] > _PRESENT]


def _evidence(categories: tuple[F64, F64]) -> int:
    """What speaks for a coding: each of the five that is there, each that stands above the road."""
    shares, heights = categories
    present = _present(shares)
    if _FLAT not in present:
        return len(present)
    road = heights[_FLAT] / shares[_FLAT]
    above = [c for c in _ABOVE if c in present and heights[c] / shares[c] < road - _HIGHER]
    return len(present) + len(above)


def _possible(labels: LabelSet) -> npt.NDArray[np.bool_]:
    """Ids that masks of the set hold, and the 255 that tools write where nothing is known."""
    possible: npt.NDArray[np.bool_] = labels.truth_ids.copy()
    possible[255] = True
    return possible
