from __future__ import annotations

import cv2
import numpy as np
import pytest

from roadmask.imaging.nearest import nearest


def test_the_pixel_under_the_centre_is_taken() -> None:
    # Three pixels to two: the centres lie at 0.75 and 2.25, in the first and the last of them.
    ids = np.array([[3, 7, 200]], np.uint8)
    assert nearest(ids, (2, 1)).tolist() == [[3, 200]]
    assert cv2.resize(ids, (2, 1), interpolation=cv2.INTER_NEAREST).tolist() == [[3, 7]]


@pytest.mark.parametrize("size", [(96, 72), (641, 479), (31, 90), (1, 1)])
def test_every_id_is_kept_at_every_size(size: tuple[int, int]) -> None:
    ids = np.random.default_rng(1).integers(0, 256, (72, 100), np.uint8)[:, :96]
    columns, rows = (
        (2 * np.arange(target) + 1) * source // (2 * target)
        for target, source in zip(size, (96, 72), strict=True)
    )
    np.testing.assert_array_equal(nearest(ids, size), ids[rows][:, columns])


def test_a_mask_that_fits_is_given_back() -> None:
    ids = np.zeros((4, 6), np.uint8)
    assert nearest(ids, (6, 4)) is ids
