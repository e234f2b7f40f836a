from pathlib import Path

import numpy as np
import pytest

from roadmask.datasets import open_dataset
from train.data import Part, TrainingData, category_shares


@pytest.fixture
def parts(camvid_folder: Path) -> list[Part]:
    camvid = open_dataset("camvid", camvid_folder, "train")
    town = open_dataset("town", split="train", count=4, size=(96, 64))
    return [Part(camvid, 6), Part(town, 3)]


def make(parts: list[Part], seed: int = 1) -> TrainingData:
    return TrainingData(parts, size=(64, 32), batch_size=4, seed=seed)


def test_shapes_types_and_number_of_batches(parts: list[Part]) -> None:
    data = make(parts)
    assert len(data) == 3  # 9 samples in batches of 4
    images, masks = data[0]
    assert images.shape == (4, 32, 64, 3)
    assert images.dtype == np.float32
    assert images.max() > 1.5  # 0-255
    assert masks.shape == (4, 32, 64)
    assert set(np.unique(masks)) <= set(range(8))
    assert data[2][0].shape[0] == 1


def test_equal_seeds_give_equal_batches_in_any_order(parts: list[Part]) -> None:
    one, two = make(parts), make(parts)
    expected = [one[i] for i in range(3)]
    for i in (2, 0, 1):
        for a, b in zip(expected[i], two[i], strict=True):
            np.testing.assert_array_equal(a, b)


def test_epochs_and_seeds_differ(parts: list[Part]) -> None:
    data = make(parts)
    first = data[0][0].copy()
    data.on_epoch_end()
    assert not np.array_equal(first, data[0][0])
    assert not np.array_equal(first, make(parts, seed=2)[0][0])


def test_an_epoch_holds_every_frame_of_a_part_that_it_repeats(camvid_folder: Path) -> None:
    camvid = open_dataset("camvid", camvid_folder, "train")
    order = make([Part(camvid, 12)])._epoch_order(0)
    assert sorted(order[:, 1]) == sorted(list(range(6)) * 2)


def test_category_shares_add_up(camvid_folder: Path) -> None:
    shares = category_shares(open_dataset("camvid", camvid_folder, "train"))
    assert shares.shape == (8,)
    assert shares.sum() == pytest.approx(1)
    assert shares[1] > 0.1  # there is a road
