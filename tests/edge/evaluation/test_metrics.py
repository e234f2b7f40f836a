import math

import numpy as np
import pytest

from roadmask.errors import DataError
from roadmask.evaluation.metrics import ConfusionMatrix
from roadmask.labels.catalogue import CITYSCAPES_19

FLAT, SKY, HUMAN, VEHICLE = 1, 5, 6, 7


def test_scores_of_a_hand_worked_image() -> None:
    truth = np.array([[1, 1, 1, 1], [5, 5, 0, 0]], np.uint8)
    prediction = np.array([[1, 1, 1, 5], [5, 1, 1, 7]], np.uint8)
    matrix = ConfusionMatrix()
    matrix.update(truth, prediction)
    iou = matrix.iou()
    # flat: 3 right, 1 missed, 1 wrongly claimed (the two void pixels count nowhere) -> 3/5
    assert iou[FLAT - 1] == pytest.approx(3 / 5)
    # sky: 1 right, 1 missed, 1 wrongly claimed -> 1/3
    assert iou[SKY - 1] == pytest.approx(1 / 3)
    # vehicle is claimed on a void pixel only: neither truth nor scored prediction -> absent
    assert math.isnan(iou[VEHICLE - 1])
    assert matrix.mean_iou() == pytest.approx((3 / 5 + 1 / 3) / 2)
    assert matrix.pixel_accuracy() == pytest.approx(4 / 6)
    assert matrix.dice()[FLAT - 1] == pytest.approx(6 / 8)


def test_predicting_void_is_wrong() -> None:
    matrix = ConfusionMatrix()
    matrix.update(np.array([[1, 1]], np.uint8), np.array([[1, 0]], np.uint8))
    assert matrix.iou()[0] == pytest.approx(1 / 2)


def test_instance_iou_weighs_each_object_like_one_of_mean_size() -> None:
    # Two persons: 6 pixels (5 found) and 2 pixels (none found); a group, 24, is no object.
    truth = np.full((1, 11), HUMAN, np.uint8)
    truth[0, 8:10] = FLAT
    instances = np.array([[*[24001] * 6, *[24002] * 2, 0, 0, 24]], np.uint16)
    prediction = np.array([[6, 6, 6, 6, 6, 1, 1, 1, 6, 1, 1]], np.uint8)
    matrix = ConfusionMatrix()
    matrix.update(truth, prediction, instances)
    person = 3462.4756337644  # mean size in px, the official constant
    right = person / 6 * 5 + person / 2 * 0
    missed = person / 6 * 1 + person / 2 * 2
    # One flat pixel is wrongly called human; it stays unweighted.
    expected = right / (right + missed + 1)
    assert matrix.instance_iou()[HUMAN - 1] == pytest.approx(expected)
    assert matrix.category_instance_iou()[HUMAN - 1] == pytest.approx(expected)
    # No vehicle, and none claimed: absent.
    assert matrix.mean_category_instance_iou() == pytest.approx(expected)


def test_instance_numbers_must_be_objects() -> None:
    flat = np.full((1, 2), FLAT, np.uint8)
    with pytest.raises(DataError, match=r"7001.*no objects of label 7"):
        ConfusionMatrix().update(flat, flat, np.array([[7001, 0]], np.uint16))
    with pytest.raises(DataError, match="sizes differ"):
        ConfusionMatrix().update(flat, flat, np.zeros((2, 2), np.uint16))


def test_big_masks_are_counted_exactly() -> None:
    # More pixels in one cell than float32 counts.
    mask = np.full((4100, 4100), FLAT, np.uint8)
    mask[0, :3] = SKY
    matrix = ConfusionMatrix()
    matrix.update(mask, mask)
    assert matrix.matrix[FLAT, FLAT] == 4100 * 4100 - 3
    assert matrix.matrix[SKY, SKY] == 3


def test_a_finer_set_is_scored_by_class_and_by_category() -> None:
    # Truth road, road, sidewalk, car, void; the sidewalk is taken for road: wrong class only.
    truth = np.array([[0, 0, 1, 13, 255]], np.uint8)
    prediction = np.array([[0, 0, 0, 13, 2]], np.uint8)
    matrix = ConfusionMatrix(CITYSCAPES_19)
    matrix.update(truth, prediction)
    iou = matrix.iou()
    assert [iou[0], iou[1], iou[13]] == [pytest.approx(2 / 3), 0, 1]
    assert matrix.category_iou()[FLAT - 1] == 1
    assert matrix.pixel_accuracy() == pytest.approx(3 / 4)
    report = matrix.report()
    assert report["miou"] == 1
    assert report["class_miou"] == pytest.approx((2 / 3 + 0 + 1) / 3)
    assert report["class_iiou"] is None


def test_report_has_null_for_what_was_not_measured() -> None:
    report = ConfusionMatrix().report()
    assert report["miou"] is None
    assert report["iiou"] is None
    assert report["images"] == 0
    iou = report["iou"]
    assert isinstance(iou, dict)
    assert set(iou) == {"flat", "construction", "object", "nature", "sky", "human", "vehicle"}


def test_sizes_must_agree() -> None:
    with pytest.raises(DataError, match="sizes differ"):
        ConfusionMatrix().update(np.zeros((2, 3), np.uint8), np.zeros((3, 2), np.uint8))


def test_ids_must_be_in_range() -> None:
    with pytest.raises(
        DataError, match="prediction holds id 8, which cityscapes-8 does not define"
    ):
        ConfusionMatrix().update(np.zeros((1, 1), np.uint8), np.full((1, 1), 8, np.uint8))
