import numpy as np
import pytest

from train.losses import SegmentationLoss


def call(loss: SegmentationLoss, truth: list[list[int]], logits: np.ndarray) -> float:
    # The loss looks at every second pixel: repeat each one.
    full = np.kron(np.array(truth, np.int32), np.ones((2, 2), np.int32))[None]
    return float(loss(full, logits[None].astype(np.float32)))


def test_cross_entropy_of_a_hand_worked_pair() -> None:
    # Two pixels, classes 1 and 2 of three (void, 1, 2); equal logits give p = 1/2 each.
    logits = np.zeros((1, 2, 3))
    loss = SegmentationLoss([1.0, 1.0], dice=0.0)
    assert call(loss, [[1, 2]], logits) == pytest.approx(np.log(2), abs=1e-5)


def test_void_pixels_and_the_void_channel_count_nowhere() -> None:
    rng = np.random.default_rng(1)
    logits = rng.normal(size=(2, 2, 8))
    loss = SegmentationLoss([1.0] * 7, dice=0.5)
    before = call(loss, [[1, 0], [3, 0]], logits)
    changed = logits.copy()
    changed[:, 1] += rng.normal(size=(2, 8)) * 9  # under void truth
    changed[..., 0] += 50  # the void channel
    assert call(loss, [[1, 0], [3, 0]], changed) == pytest.approx(before, rel=1e-5)


def test_weights_favour_their_class() -> None:
    logits = np.zeros((1, 2, 3))
    logits[0, 0, 1] = 4  # class 1 is right, class 2 undecided
    equal = call(SegmentationLoss([1.0, 1.0], dice=0.0), [[1, 2]], logits)
    heavy = call(SegmentationLoss([1.0, 5.0], dice=0.0), [[1, 2]], logits)
    assert heavy > equal


def test_dice_is_zero_for_a_certain_right_answer_and_one_for_a_wrong_one() -> None:
    logits = np.zeros((8, 8, 3))
    logits[..., 1] = 30
    loss = SegmentationLoss([1.0, 1.0], dice=1.0)
    assert call(loss, [[1] * 8] * 8, logits) == pytest.approx(0, abs=1e-3)
    wrong_dice = call(loss, [[2] * 8] * 8, logits) - call(
        SegmentationLoss([1.0, 1.0], dice=0.0), [[2] * 8] * 8, logits
    )
    assert wrong_dice == pytest.approx(1, abs=0.05)  # smoothing of one pixel in 64


def test_all_void_is_finite() -> None:
    assert np.isfinite(call(SegmentationLoss([1.0] * 7), [[0, 0]], np.zeros((1, 2, 8))))
