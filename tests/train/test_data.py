from pathlib import Path

import numpy as np
import pytest

from roadmask.data.datasets import open_dataset
from roadmask.errors import ConfigError
from roadmask.labels.catalogue import CITYSCAPES_19, CITYSCAPES_34
from roadmask.labels.lookup import label_set
from train.data.loader import Part, TrainingData, class_shares
from train.data.recipes import load_recipe


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


def test_class_shares_add_up(camvid_folder: Path) -> None:
    shares = class_shares(open_dataset("camvid", camvid_folder, "train"))
    assert shares.shape == (8,)
    assert shares.sum() == pytest.approx(1)
    assert shares[1] > 0.1  # there is a road


def test_the_recipe_is_the_one_given(parts: list[Part]) -> None:
    plain = TrainingData(parts[:1], size=(96, 64), batch_size=6, seed=1, recipe=load_recipe("none"))
    first = plain[0]
    plain.on_epoch_end()
    # Without augmentation an epoch differs in its order alone.
    key = [sorted(image.tobytes() for image in batch[0]) for batch in (first, plain[0])]
    assert key[0] == key[1]


def test_nineteen_classes_from_two_data_sets(parts: list[Part]) -> None:
    data = TrainingData(
        parts, size=(64, 48), batch_size=9, seed=1, recipe=load_recipe("none"), labels=CITYSCAPES_19
    )
    _, masks = data[0]
    ids = set(np.unique(masks))
    assert ids <= set(range(19)) | {255}
    assert {0, 2, 8, 10} <= ids  # road, building, vegetation, sky


def test_an_own_label_set_is_trained(parts: list[Part], tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_text(
        'name = "own"\n[[class]]\nid = 0\nname = "way"\ncategory = "flat"\n'
        'sources = ["road", "parking"]\n[[class]]\nid = 1\nname = "sky"\ncategory = "sky"\n'
    )
    own = label_set(path)
    town = Part(open_dataset("town", split="train", count=2, size=(96, 64)), 2)
    data = TrainingData([town], size=(96, 64), batch_size=2, seed=1, labels=own, one_hot=True)
    _, hot = data[0]
    assert hot.shape == (2, 64, 96, 2) and hot.dtype == np.float32
    per_pixel = hot.sum(axis=-1)
    assert set(np.unique(per_pixel)) == {0, 1}  # most of the frame is neither
    np.testing.assert_array_equal(own.table_from(CITYSCAPES_34)[[7, 9, 23, 11]], [0, 0, 1, 255])


def test_one_hot_leaves_void_without_a_plane(parts: list[Part]) -> None:
    ids = TrainingData(parts, size=(64, 32), batch_size=4, seed=1)[0][1]
    hot = TrainingData(parts, size=(64, 32), batch_size=4, seed=1, one_hot=True)[0][1]
    assert hot.shape == (4, 32, 64, 8)
    assert not hot[..., 0].any()
    np.testing.assert_array_equal(hot.argmax(axis=-1), ids)
    np.testing.assert_array_equal(hot.sum(axis=-1), ids > 0)


def test_a_label_set_without_a_common_class_is_refused(parts: list[Part], tmp_path: Path) -> None:
    path = tmp_path / "sea.toml"
    path.write_text('name = "sea"\n[[class]]\nid = 0\nname = "wave"\ncategory = "flat"\n')
    with pytest.raises(ConfigError, match="sea has no class of camvid-11"):
        TrainingData(parts, size=(64, 32), batch_size=4, seed=1, labels=label_set(path))


def test_no_sample_at_all_is_refused(parts: list[Part]) -> None:
    with pytest.raises(ConfigError, match="no sample"):
        TrainingData([Part(parts[0].dataset, 0)], size=(64, 32), batch_size=4, seed=1)


def test_class_shares_of_nineteen() -> None:
    town = open_dataset("town", split="train", count=2, size=(96, 64))
    shares = class_shares(town, CITYSCAPES_19)
    assert shares.shape == (19,)
    assert shares.sum() == pytest.approx(1)
    assert shares[0] > 0.05  # road
