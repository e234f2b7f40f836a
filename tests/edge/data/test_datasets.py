import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest

from roadmask.data.datasets import open_dataset
from roadmask.errors import ConfigError, DataError, RoadmaskError
from roadmask.labels.catalogue import CITYSCAPES_34
from roadmask.town.export import write_cityscapes


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


def test_coarse_truth_and_splits_of_any_name(cityscapes: Path, tmp_path: Path) -> None:
    root = Path(shutil.copytree(cityscapes, tmp_path / "data"))
    # Fine beside coarse, and a split that is coarse only, as the published set has it.
    for mask in (root / "gtFine/train").glob("*/*.png"):
        coarse = root / "gtCoarse/train_extra" / mask.parent.name
        coarse.mkdir(parents=True, exist_ok=True)
        shutil.copy(mask, coarse / mask.name.replace("gtFine", "gtCoarse"))
    shutil.copytree(root / "leftImg8bit/train", root / "leftImg8bit/train_extra")
    shutil.copytree(root / "gtCoarse/train_extra", root / "gtCoarse/train")
    extra = open_dataset("cityscapes", root, "train_extra")
    coarse_set = open_dataset("cityscapes-coarse", root, "train")
    assert len(extra) == len(coarse_set) == 2
    assert coarse_set[0].instances is not None
    assert "gtFine" in str(open_dataset("cityscapes", root, "train")._files)  # type: ignore[attr-defined]
    with pytest.raises(DataError, match="gtCoarse/val"):
        open_dataset("cityscapes-coarse", root, "val")


def damage_cityscapes(root: Path, kind: str) -> str:
    """Break one file of the copy; its name is returned."""
    image = sorted(root.glob("leftImg8bit/train/*/*.png"))[1]
    stem = image.name.removesuffix("_leftImg8bit.png")
    truth = root / "gtFine/train" / image.parent.name
    mask, instances = (truth / f"{stem}_gtFine_{k}Ids.png" for k in ("label", "instance"))
    size = (64, 128)
    if kind == "no mask":
        mask.unlink()
    elif kind == "no image":
        image.unlink()
        return image.name
    elif kind == "some instances":
        instances.unlink()
        return instances.name
    elif kind == "odd name":
        return image.rename(image.with_name("copy of it.png")).name
    elif kind == "instance size":
        cv2.imwrite(str(instances), np.zeros((9, 9), np.uint16))
        return instances.name
    elif kind == "instance of road":
        cv2.imwrite(str(instances), np.full(size, 7001, np.uint16))
        return instances.name
    elif kind == "truncated mask":
        mask.write_bytes(mask.read_bytes()[:-30])
    elif kind == "label outside":
        cv2.imwrite(str(mask), np.full(size, 34, np.uint8))
    elif kind == "mask size":
        cv2.imwrite(str(mask), np.zeros((10, 10), np.uint8))
    elif kind == "broken data":
        data = bytearray(image.read_bytes())
        data[len(data) // 2] ^= 0x55
        image.write_bytes(data)
        return image.name
    return mask.name


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("no mask", "has no mask"),
        ("no image", "has no frame"),
        ("some instances", "is missing"),
        ("odd name", "is not named"),
        ("instance size", "9x9 but its mask is 128x64"),
        ("instance of road", "7001.*label 7 apart"),
        ("truncated mask", "truncated"),
        ("label outside", "label id 34"),
        ("mask size", "10x10"),
        ("broken data", "not a readable"),
    ],
)
def test_damage_to_cityscapes_is_named(
    cityscapes: Path, tmp_path: Path, kind: str, words: str
) -> None:
    root = Path(shutil.copytree(cityscapes, tmp_path / "data"))
    name = damage_cityscapes(root, kind)
    with pytest.raises(DataError, match=words) as caught:
        list(open_dataset("cityscapes", root, "train"))
    assert name in str(caught.value)
    assert "\n" not in str(caught.value)


def test_hidden_files_and_absent_instances_are_fine(cityscapes: Path, tmp_path: Path) -> None:
    root = Path(shutil.copytree(cityscapes, tmp_path / "data"))
    image = next(root.glob("leftImg8bit/val/*/*.png"))
    image.with_name("._" + image.name).write_bytes(b"x")
    for path in root.glob("gtFine/val/*/*_instanceIds.png"):
        path.unlink()
    assert open_dataset("cityscapes", root, "val")[0].instances is None


def test_threads_get_the_frames_of_the_town_that_they_ask_for() -> None:
    dataset = open_dataset("town", count=12, size=(64, 48))  # two streets
    alone = [dataset[index] for index in range(12)]
    with ThreadPoolExecutor(3) as pool:
        together = list(pool.map(dataset.__getitem__, range(12)))
    for a, b in zip(alone, together, strict=True):
        assert np.array_equal(a.image, b.image)
        assert np.array_equal(a.mask, b.mask)


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
    elif kind == "mask only":
        image.unlink()
    elif kind == "two frames":
        shutil.copy(image, image.with_suffix(".bmp"))
    elif kind == "name that is no text":
        for path in (image, mask):
            path.rename(path.with_name(os.fsdecode(b"fra\xe9me C_0001.png")))
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
        ("mask only", "has no frame"),
        ("two frames", "there twice"),
        ("name that is no text", "rename it"),
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
        ("cityscape", ".", "train", "did you mean cityscapes"),
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
