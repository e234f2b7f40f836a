from __future__ import annotations

import numpy as np
import pytest

from convert.judge.intervals import bootstrap


def _frame(hits: int, wrong: int) -> np.ndarray:
    """Truth is flat (1) throughout: ``hits`` pixels found, ``wrong`` taken for sky (5)."""
    matrix = np.zeros((8, 8), np.int64)
    matrix[1, 1], matrix[1, 5] = hits, wrong
    return matrix


def test_equal_frames_leave_no_doubt() -> None:
    # IoU of flat is 0.9 in float and 0.8 in INT8, whichever frames are drawn.
    frames = np.array([[_frame(90, 10), _frame(80, 20)]] * 5)
    intervals = bootstrap(frames)
    assert intervals.category_drop["flat"] == pytest.approx([0.1, 0.1])
    # Sky is claimed and never there: 0 in both, and it counts in the mean.
    assert intervals.category_drop["sky"] == [0, 0]
    assert intervals.float_miou == pytest.approx([0.45, 0.45])
    assert intervals.drop == pytest.approx([0.05, 0.05])
    assert intervals.category_drop["human"] == [None, None]
    assert intervals.float_iou["flat"] == pytest.approx([0.9, 0.9])
    assert intervals.int8_iou["flat"] == pytest.approx([0.8, 0.8])
    assert intervals.int8_iou["human"] == [None, None]


def test_unlike_frames_give_a_width_and_a_seed_repeats_it() -> None:
    rng = np.random.default_rng(1)
    frames = np.array([[_frame(100, 0), _frame(100 - k, k)] for k in rng.integers(0, 40, 30)])
    low, high = bootstrap(frames).category_drop["flat"]
    drop = frames[:, 1, 1, 5].sum() / 3000
    assert low is not None and high is not None
    assert low < drop < high
    assert bootstrap(frames) == bootstrap(frames)
