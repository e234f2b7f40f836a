"""Are these masks coded as they are said to be? Train ids under ``_labelIds.png`` say they are not.

Every split of street scenes holds road, buildings, vegetation, sky and vehicles. Masks that show
few of the five as they are said to be coded, and nearly all of them in another coding, are in that.
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
_PRESENT = 0.002  # share of the pixels
_TOLD_APART = 2  # of the five that one coding shows and the other does not
_CODINGS = ((CITYSCAPES_8, "category ids"), (CITYSCAPES_19, "train ids"))


def check_coding(masks: Sequence[Path], labels: LabelSet, what: str) -> None:
    """Refuse a split whose masks are coded otherwise than as ``labels``.

    Raises:
        DataError: says what they look like.
    """
    shares = _id_shares(masks)
    own = _category_shares(shares, labels)
    shown = np.count_nonzero(own[_EVERYWHERE] > _PRESENT)
    for other, name in _CODINGS:
        if other.name == labels.name or shares[~_possible(other)].any():
            continue
        there = np.count_nonzero(_category_shares(shares, other)[_EVERYWHERE] > _PRESENT)
        if there >= shown + _TOLD_APART and there >= len(_EVERYWHERE) - 1:
            raise DataError(_sentence(own, labels, other, name, what))


def _sentence(own: F64, labels: LabelSet, other: LabelSet, name: str, what: str) -> str:
    lacking = [CATEGORY_NAMES[c] for c in range(1, CATEGORY_COUNT) if own[c] <= _PRESENT]
    return (
        f"the masks of {what} hold {name} ({other.name}): taken for {labels.name} they would be "
        f"{100 * own[VOID]:.0f} % void, with no {' or '.join(lacking) or 'plausible shares'}; "
        f"write them in {labels.name}, or name their label set with --truth-labels {other.name}"
    )


def _id_shares(masks: Sequence[Path]) -> F64:
    """``(256,)``: share of each id in some masks of the split, spread evenly."""
    counts = np.zeros(256, np.int64)
    for mask in masks[:: -(-len(masks) // _LOOKED_AT)]:
        try:
            counts += np.bincount(read_mask(mask).ravel(), minlength=256)
        except DataError:  # whoever reads the frame is told
            continue
    return np.asarray(counts / max(1, counts.sum()), np.float64)


def _category_shares(id_shares: F64, labels: LabelSet) -> F64:
    """``(8,)``: what they make of the pixels."""
    return np.bincount(labels.truth_table, id_shares, CATEGORY_COUNT).astype(np.float64)


def _possible(labels: LabelSet) -> npt.NDArray[np.bool_]:
    """Ids that masks of the set hold, and the 255 that tools write where nothing is known."""
    possible: npt.NDArray[np.bool_] = labels.truth_ids.copy()
    possible[255] = True
    return possible
