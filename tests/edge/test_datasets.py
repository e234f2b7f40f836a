import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from roadmask.datasets import open_dataset
from roadmask.errors import ConfigError, DataError, RoadmaskError
from roadmask.labels import CITYSCAPES_34
from roadmask.synthetic import write_cityscapes


@pytest.fixture
def copy(camvid_folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(camvid_folder, tmp_path / "camvid"))


@pytest.fixture(scope="module")
def cityscapes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("data") / "cityscapes"
    write_cityscapes(root, seed=3, train=2, val=1, width=128, height=64)
    return root


def test_camvid_pairs_frames_with_masks(camvid_folder: Path) -> None:
    dataset = open_dataset("camvid", camvid_folder, "train")
    assert list(dataset.ids) == [f"{d}_{n:04d}" for d in "AB" for n in range(3)]
    sample = dataset[4]
    assert sample.image.shape == (72, 96, 3)
    assert sample.mask.shape == (72, 96)
    assert set(np.unique(sample.mask)) <= set(range(8))
    assert len(np.unique(sample.mask)) >= 4
    assert dataset.group(4) == "B"


def test_real_camvid(shared: Path) -> None:
    dataset = open_dataset("camvid", shared / "data/camvid", "val")
    assert len(dataset) == 101
    # Sky, building and road are in every frame of that stretch.
    assert {1, 2, 5} <= set(np.unique(dataset[0].mask))


def test_any_split_with_its_annotations_is_read(copy: Path) -> None:
    (copy / "val").rename(copy / "night")
    (copy / "valannot").rename(copy / "nightannot")
    assert len(open_dataset("camvid", copy, "night")) == 3


def test_cityscapes_masks_instances_and_ignored_labels(cityscapes: Path) -> None:
    dataset = open_dataset("cityscapes", cityscapes, "train")
    sample = dataset[0]
    assert sample.instances is not None
    coded = cv2.imread(
        str(next((cityscapes / "gtFine/train").glob(f"*/{sample.frame_id}_gtFine_labelIds.png"))),
        cv2.IMREAD_UNCHANGED,
    )
    np.testing.assert_array_equal(sample.mask, CITYSCAPES_34.truth_table[coded])
    assert set(np.unique(sample.mask[sample.instances > 0])) <= {6, 7}


def test_town_splits_share_no_street() -> None:
    train = open_dataset("town", split="train", count=9, size=(96, 64))
    val = open_dataset("town", split="val", count=9, size=(96, 64))
    assert not {i.split("_")[0] for i in train.ids} & {i.split("_")[0] for i in val.ids}
    np.testing.assert_array_equal(train[8].image, train[8].image)
    assert train[8].image.shape == (64, 96, 3)


def damage(root: Path, kind: str) -> None:
    image, mask = root / "val/C_0001.png", root / "valannot/C_0001.png"
    if kind == "missing mask":
        mask.unlink()
    elif kind == "truncated image":
        image.write_bytes(image.read_bytes()[:200])
    elif kind == "no image":
        image.write_text("hello")
    elif kind == "empty image":
        image.write_bytes(b"")
    elif kind == "wrong size":
        cv2.imwrite(str(mask), np.zeros((10, 10), np.uint8))
    elif kind == "colour mask":
        cv2.imwrite(str(mask), np.zeros((72, 96, 3), np.uint8))
    elif kind == "unknown id":
        cv2.imwrite(str(mask), np.full((72, 96), 77, np.uint8))


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("missing mask", "has no mask"),
        ("truncated image", "truncated"),
        ("no image", "not a readable"),
        ("empty image", "not a readable"),
        ("wrong size", "10x10"),
        ("colour mask", "one byte per pixel"),
        ("unknown id", "label id 77"),
    ],
)
def test_damage_is_named_with_its_file(copy: Path, kind: str, words: str) -> None:
    damage(copy, kind)
    with pytest.raises(DataError, match=words) as caught:
        list(open_dataset("camvid", copy, "val"))
    assert "C_0001" in str(caught.value)


@pytest.mark.parametrize(
    ("name", "root", "split", "words"),
    [
        ("kitti", ".", "train", "unknown"),
        ("camvid", None, "train", "--root"),
        ("camvid", "/nowhere", "train", "/nowhere"),
        ("camvid", "here", "test", "testannot|test"),
        ("cityscapes", "here", "val", "leftImg8bit"),
        ("town", None, "night", "train, val, test"),
    ],
)
def test_unusable_arguments(
    camvid_folder: Path, name: str, root: str | None, split: str, words: str
) -> None:
    folder = camvid_folder if root == "here" else root
    with pytest.raises((ConfigError, DataError), match=words):
        open_dataset(name, folder, split)


def test_empty_folders(tmp_path: Path) -> None:
    (tmp_path / "val").mkdir()
    (tmp_path / "valannot").mkdir()
    with pytest.raises(RoadmaskError, match="holds no image"):
        open_dataset("camvid", tmp_path, "val")
