import math

import numpy as np
import pytest

from roadmask.errors import DataError
from roadmask.metrics import ConfusionMatrix

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
    # Two people: 6 pixels (5 found) and 2 pixels (none found); mean size 4.
    truth = np.full((1, 10), HUMAN, np.uint8)
    truth[0, 8:] = FLAT
    instances = np.array([[1, 1, 1, 1, 1, 1, 2, 2, 0, 0]], np.uint16)
    prediction = np.array([[6, 6, 6, 6, 6, 1, 1, 1, 6, 1]], np.uint8)
    matrix = ConfusionMatrix()
    matrix.update(truth, prediction, instances)
    right = 4 / 6 * 5 + 4 / 2 * 0
    missed = 4 / 6 * 1 + 4 / 2 * 2
    # One flat pixel is wrongly called human.
    assert matrix.instance_iou() == pytest.approx(right / (right + missed + 1))


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
    with pytest.raises(DataError, match="id of 8 or more"):
        ConfusionMatrix().update(np.zeros((1, 1), np.uint8), np.full((1, 1), 8, np.uint8))
