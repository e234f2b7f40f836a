from __future__ import annotations

import numpy as np
import pytest

from roadmask import _native
from roadmask.imaging.overlay import PALETTE_BGR, colours, overlay
from roadmask.inference import reference_kernels as kernels_reference


@pytest.mark.parametrize("alpha", [0, 1, 128, 254, 255])
@pytest.mark.parametrize("size", [(480, 352), (1283, 5), (1, 1)])
def test_kernel_equals_reference(alpha: int, size: tuple[int, int]) -> None:
    rng = np.random.default_rng(alpha)
    frame = rng.integers(0, 256, (size[1], size[0] + 3, 3)).astype(np.uint8)[:, 2:-1]
    mask = rng.integers(0, 256, (size[1], size[0] + 1)).astype(np.uint8)[:, 1:]
    palette = rng.integers(0, 256, (256, 3)).astype(np.uint8)
    expected = kernels_reference.overlay(frame, mask, palette, alpha)
    out = np.empty((size[1], size[0], 3), np.uint8)
    _native.overlay(frame, mask, palette, alpha, out)
    np.testing.assert_array_equal(out, expected)
    _native.overlay(frame, mask, palette, alpha, frame)  # in place
    np.testing.assert_array_equal(frame, expected)


def test_alpha_goes_from_the_frame_to_the_colours() -> None:
    frame = np.full((4, 6, 3), (10, 20, 30), np.uint8)
    mask = np.full((4, 6), 7, np.uint8)
    np.testing.assert_array_equal(overlay(frame, mask, 0.0), frame)
    np.testing.assert_array_equal(overlay(frame, mask, 1.0), np.full_like(frame, (142, 0, 0)))
    # 128 / 256 of each: (10 + 142) / 2, 20 / 2, 30 / 2
    np.testing.assert_array_equal(overlay(frame, mask), np.full_like(frame, (76, 10, 15)))


def test_small_mask_is_brought_to_the_frame() -> None:
    frame = np.zeros((8, 8, 3), np.uint8)
    mask = np.array([[1, 5], [5, 1]], np.uint8)
    large = mask.repeat(4, 0).repeat(4, 1)
    np.testing.assert_array_equal(overlay(frame, mask, 1.0), PALETTE_BGR[large])


def test_colours_are_the_palette() -> None:
    mask = np.array([[0, 1, 6, 200]], np.uint8)
    assert colours(mask).tolist() == [[[0, 0, 0], [128, 64, 128], [60, 20, 220], [0, 0, 0]]]


def test_out_is_drawn_into_and_returned() -> None:
    frame = np.zeros((3, 3, 3), np.uint8)
    assert overlay(frame, np.ones((3, 3), np.uint8), out=frame) is frame
    assert frame.any()
