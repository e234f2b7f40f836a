"""Logits to mask against its NumPy reference, bit for bit, at every level that this CPU runs."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from roadmask import _native
from roadmask.arrays import U8
from roadmask.inference import reference_kernels as kernels_reference
from roadmask.inference.scores import confidence_table
from roadmask.labels.label_set import UNKNOWN

EIGHT = np.arange(8, dtype=np.uint8)


def smooth_logits(
    rng: np.random.Generator, h: int, w: int, c: int, flat: int = 6
) -> npt.NDArray[np.int8]:
    """Logits as a network gives them: regions with one winner, edges between them, some ties."""
    coarse = rng.normal(0, 60, (h // flat + 2, w // flat + 2, c))
    fine = coarse.repeat(flat, 0).repeat(flat, 1)[:h, :w] + rng.normal(0, 4, (h, w, c))
    return np.clip(fine, -128, 127).astype(np.int8)


def check_upsample(
    logits: npt.NDArray[np.int8] | npt.NDArray[np.float32],
    size: tuple[int, int],
    table: U8,
    first: int,
    confidences: U8 | None = None,
    threshold: int = 0,
    step: float = 1 / 16,
    scores: str = "logits",
) -> int:
    h, w, classes = logits.shape
    plan = _native.UpsamplePlan(
        (w, h), classes, size, table, first, confidences, threshold, step, scores=scores
    )
    expected, confidence, *filled = kernels_reference.argmax_upsample(
        logits, size, table, first, confidences, threshold, step, scores=scores
    )
    # Guard columns: a kernel that writes past a row is seen.
    mask = np.full((size[1], size[0] + 5), 77, np.uint8)
    assert plan.run(logits, mask[:, : size[0]]) == tuple(filled)
    np.testing.assert_array_equal(mask[:, : size[0]], expected)
    assert (mask[:, size[0] :] == 77).all()
    if confidences is not None:
        plane = np.full_like(mask, 78)
        mask[:] = 77
        assert plan.run(logits, mask[:, : size[0]], plane[:, : size[0]]) == tuple(filled)
        np.testing.assert_array_equal(mask[:, : size[0]], expected)
        np.testing.assert_array_equal(plane[:, : size[0]], confidence)
        assert (plane[:, size[0] :] == 78).all() and (mask[:, size[0] :] == 77).all()
    assert sum(filled[0]) == expected.size and filled[1] <= filled[0][0]
    return int(filled[1])


SIZES = [
    # h, w, C, (W, H)
    (88, 120, 8, (480, 352)),
    (22, 30, 8, (160, 90)),
    (13, 17, 19, (52, 52)),
    (7, 50, 20, (333, 41)),
    (9, 300, 3, (640, 20)),  # column numbers over 255
    (5, 3, 2, (9, 31)),  # narrower than a vector
    (1, 1, 8, (40, 3)),
    (1, 40, 8, (70, 1)),
    (40, 1, 33, (33, 80)),
    (24, 70, 8, (70, 24)),  # same size
    (24, 70, 8, (95, 30)),  # over 16 columns of logits in a chunk
    (60, 90, 8, (31, 17)),  # smaller
    (33, 47, 40, (100, 64)),
]


@pytest.mark.parametrize(("h", "w", "c", "size"), SIZES)
@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.usefixtures("level")
def test_argmax_upsample_equals_reference(
    h: int, w: int, c: int, size: tuple[int, int], first: int
) -> None:
    rng = np.random.default_rng(h * w + c)
    table = rng.integers(0, 8, c).astype(np.uint8)
    noise = rng.integers(-128, 128, (h, w, c)).astype(np.int8)
    check_upsample(noise, size, table, first)
    check_upsample(smooth_logits(rng, h, w, c), size, table, first)


@pytest.mark.parametrize(("h", "w", "c", "size"), SIZES)
@pytest.mark.parametrize("threshold", [0, 200])
@pytest.mark.usefixtures("level")
def test_confidence_equals_reference(
    h: int, w: int, c: int, size: tuple[int, int], threshold: int
) -> None:
    rng = np.random.default_rng(h * w + c)
    table = rng.integers(0, 8, c).astype(np.uint8)
    confidences = confidence_table(0.12)
    logits = smooth_logits(rng, h, w, c)
    check_upsample(logits, size, table, 0, confidences, threshold)
    # A table that neither saturates nor rises.
    check_upsample(logits, size, table, 1, rng.permutation(256).astype(np.uint8), threshold)


@pytest.mark.usefixtures("level")
def test_random_shapes_equal_reference() -> None:
    rng = np.random.default_rng(5)
    for _ in range(60):
        h, w, c = (int(n) for n in rng.integers((1, 1, 2), (30, 60, 24)))
        size = int(rng.integers(1, 200)), int(rng.integers(1, 80))
        table = rng.integers(0, 8, c).astype(np.uint8)
        confidences = confidence_table(float(rng.uniform(0.02, 0.5)))
        logits = smooth_logits(rng, h, w, c, int(rng.integers(1, 9)))
        threshold = int(rng.choice([0, 130, 250, 255]))
        check_upsample(logits, size, table, int(rng.integers(0, c)), confidences, threshold)


@pytest.mark.usefixtures("level")
def test_a_table_of_ids_beyond_the_categories_is_drawn_too() -> None:
    rng = np.random.default_rng(6)
    table = rng.permutation(256)[:19].astype(np.uint8)
    logits = smooth_logits(rng, 33, 47, 19)
    check_upsample(logits, (101, 64), table, 0, confidence_table(0.1), 140)
    check_upsample(logits.astype(np.float32), (101, 64), table, 0)


@pytest.mark.parametrize("value", [-128, 0, 127])
@pytest.mark.usefixtures("level")
def test_all_classes_tied_gives_the_first(value: int) -> None:
    logits = np.full((9, 21, 8), value, np.int8)
    check_upsample(logits, (84, 36), EIGHT, 1, confidence_table(0.1), 140)
    logits[4:, 10:, 5] = -value if value != -128 else 127
    check_upsample(logits, (84, 36), EIGHT, 1, confidence_table(0.1))


@pytest.mark.usefixtures("level")
def test_extremes_side_by_side() -> None:
    rng = np.random.default_rng(1)
    logits = rng.choice(np.array([-128, 127], np.int8), (20, 33, 8))
    check_upsample(logits, (132, 80), EIGHT, 0, confidence_table(0.01), 129)
    check_upsample(logits, (231, 140), EIGHT, 1)


@pytest.mark.usefixtures("level")
def test_factor_four_equals_opencv_and_argmax() -> None:
    logits = smooth_logits(np.random.default_rng(2), 88, 120, 8)
    plan = _native.UpsamplePlan((120, 88), 8, (480, 352), EIGHT, 0)
    mask = np.empty((352, 480), np.uint8)
    counts, invalid = plan.run(logits, mask)
    large = cv2.resize(logits.astype(np.float32), (480, 352), interpolation=cv2.INTER_LINEAR)
    np.testing.assert_array_equal(mask, np.argmax(large, 2))
    assert counts == np.bincount(mask.ravel(), minlength=8).tolist() and invalid == 0


def test_camera_size_agrees_with_opencv() -> None:
    logits = smooth_logits(np.random.default_rng(3), 88, 120, 8, 12)
    plan = _native.UpsamplePlan((120, 88), 8, (1280, 720), EIGHT, 0)
    mask = np.empty((720, 1280), np.uint8)
    plan.run(logits, mask)
    large = cv2.resize(logits.astype(np.float32), (1280, 720), interpolation=cv2.INTER_LINEAR)
    # Sixteenths of a logit's pixel: an edge moves by a third of a camera pixel at most.
    assert (mask != np.argmax(large, 2)).mean() < 0.006


@pytest.mark.parametrize(("h", "w", "c", "size"), SIZES[:6] + SIZES[9:12])
@pytest.mark.parametrize("threshold", [0, 200])
def test_float_logits_equal_reference(
    h: int, w: int, c: int, size: tuple[int, int], threshold: int
) -> None:
    rng = np.random.default_rng(h + w)
    table = rng.integers(0, 8, c).astype(np.uint8)
    logits = rng.normal(0, 4, (h, w, c)).astype(np.float32)
    confidences = confidence_table(0.05)
    check_upsample(logits, size, table, 0, confidences, threshold, 0.05)
    logits[rng.random(logits.shape) < 0.05] = np.nan
    logits[rng.random(logits.shape) < 0.02] = np.inf
    with np.errstate(invalid="ignore"):
        check_upsample(logits, size, table, c // 2, confidences, threshold, 0.05)


def test_confidence_table_is_the_softmax_of_two() -> None:
    table = confidence_table(0.1)
    # 255 / (1 + e^0) = 127.5; 255 / (1 + e^-1) = 186.4; 255 / (1 + e^-25.5) = 255
    assert (table[0], table[10], table[255]) == (128, 186, 255)


def test_margin_ignores_classes_of_the_same_category() -> None:
    # car 100, truck 99, road 40: the rival of "vehicle" is "flat", 60 steps below.
    logits = np.array([[[100, 99, 40]]], np.int8)
    table = np.array([7, 7, 1], np.uint8)
    identity = np.arange(256, dtype=np.uint8)
    plan = _native.UpsamplePlan((1, 1), 3, (2, 2), table, 0, identity, 61)
    mask, confidence = np.empty((2, 2), np.uint8), np.empty((2, 2), np.uint8)
    assert plan.run(logits, mask, confidence) == ([4, 0, 0, 0, 0, 0, 0, 0], 0)
    assert (confidence == 60).all() and (mask == 0).all()


@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.int64])
@pytest.mark.parametrize("size", [(513, 513), (1280, 720), (100, 33), (3, 1)])
def test_nearest_map_equals_reference(dtype: type[np.int64], size: tuple[int, int]) -> None:
    rng = np.random.default_rng(4)
    ids = rng.integers(0, 25, (129, 257)).astype(dtype)
    if dtype != np.uint8:
        ids[5, 5:40] = -3
        ids[9, 1:90] = np.iinfo(dtype).max
    table = rng.integers(0, 255, 19).astype(np.uint8)
    table[7] = UNKNOWN
    mask = np.empty((size[1], size[0]), np.uint8)
    filled = _native.nearest_map(ids, mask, table)
    expected, *expected_filled = kernels_reference.nearest_map(ids, size, table)
    np.testing.assert_array_equal(mask, expected)
    assert filled == tuple(expected_filled)
    assert size == (3, 1) or 0 < filled[1] < filled[0][0]


@pytest.mark.usefixtures("level")
@pytest.mark.parametrize(("h", "w", "c", "size"), SIZES)
def test_a_class_that_the_set_does_not_have_is_void_and_counted(
    h: int, w: int, c: int, size: tuple[int, int]
) -> None:
    rng = np.random.default_rng(h + w + c)
    table = rng.integers(1, 8, c).astype(np.uint8)
    table[rng.integers(c)] = table[0] = UNKNOWN
    logits = smooth_logits(rng, h, w, c)
    logits[: h // 2 + 1, : w // 2 + 1, 0] = 127
    assert check_upsample(logits, size, table, 0) > 0
    check_upsample(logits, size, table, 0, confidence_table(0.12), 200)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 3e38])
@pytest.mark.parametrize("channel", [0, 1, 5])
def test_no_number_is_void_and_never_the_first_class(value: float, channel: int) -> None:
    logits = np.random.default_rng(3).normal(0, 4, (8, 12, 6)).astype(np.float32)
    logits[2:4, 3:7, channel] = value
    mask, plane = np.empty((2, 32, 48), np.uint8)
    plan = _native.UpsamplePlan((12, 8), 6, (48, 32), EIGHT[1:7], 1, confidence_table(0.1))
    counts, invalid = plan.run(logits, mask, plane)
    # Whatever blends with one of the 2 x 4: at least their own pixels, at most a pixel around.
    assert 8 * 16 <= invalid == counts[0] <= 4 * 6 * 16
    assert (mask[8:16, 12:28] == 0).all() and (plane[mask == 0] == 0).all()
    with np.errstate(invalid="ignore", over="ignore"):
        assert check_upsample(logits, (48, 32), EIGHT[1:7], 1, confidence_table(0.1)) == invalid
        check_upsample(np.full_like(logits, value), (48, 32), EIGHT[1:7], 1)
    assert plan.run(np.full_like(logits, value), mask, plane) == ([48 * 32] + 7 * [0], 48 * 32)


@pytest.mark.parametrize("scores", ["softmax", "sigmoid"])
@pytest.mark.parametrize("step", [1.0, 1 / 256])
def test_confidence_of_probabilities_equals_reference(scores: str, step: float) -> None:
    rng = np.random.default_rng(6)
    raw = np.exp(rng.normal(0, 3, (13, 17, 8)))
    chances = raw / raw.sum(2, keepdims=True) if scores == "softmax" else raw / (1 + raw)
    units = (chances / step).astype(np.float32)
    units[0, 0], units[4, 4, 3] = 0, np.nan
    confidences = confidence_table(1.0)
    with np.errstate(invalid="ignore"):
        check_upsample(units, (52, 40), EIGHT, 1, confidences, 0, step, scores)
        check_upsample(units, (52, 40), EIGHT, 1, confidences, 90, step, scores)


def test_confidence_of_probabilities_is_the_winners_share() -> None:
    mask, plane = np.empty((2, 1, 1), np.uint8)
    values = np.array([[[0.6, 0.3, 0.1]]], np.float32)
    levels = confidence_table(1, kind="softmax")
    for scores, expected in (("softmax", 0.6 / 0.9), ("sigmoid", 0.6)):
        plan = _native.UpsamplePlan((1, 1), 3, (1, 1), EIGHT[1:4], 0, levels, 0, 1.0, scores=scores)
        plan.run(values, mask, plane)
        assert mask[0, 0] == 1 and abs(int(plane[0, 0]) - 255 * expected) <= 0.5


def test_one_plan_serves_several_threads() -> None:
    plan = _native.UpsamplePlan((120, 88), 8, (480, 352), EIGHT, 0)
    pictures = [smooth_logits(np.random.default_rng(seed), 88, 120, 8) for seed in range(4)]

    def masks(logits: npt.NDArray[np.int8]) -> list[U8]:
        results = []
        for _ in range(20):
            mask = np.empty((352, 480), np.uint8)
            plan.run(logits, mask)
            results.append(mask)
        return results

    with ThreadPoolExecutor(4) as pool:
        for logits, results in zip(pictures, pool.map(masks, pictures), strict=True):
            expected = kernels_reference.argmax_upsample(logits, (480, 352), EIGHT, 0)[0]
            for mask in results:
                np.testing.assert_array_equal(mask, expected)
