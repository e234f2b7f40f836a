"""Masks in another coding than their name says stop with that sentence; the right ones do not."""

from __future__ import annotations

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from roadmask.arrays import U8
from roadmask.data.datasets import open_dataset
from roadmask.errors import DataError
from roadmask.labels.catalogue import CAMVID_11, CITYSCAPES_19, CITYSCAPES_34
from roadmask.town.export import write_cityscapes


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("data") / "cityscapes"
    write_cityscapes(root, train=4, val=1, width=160, height=96)
    return root


def train_id_table() -> U8:
    ids = {c.name: c.class_id for c in CITYSCAPES_19.classes}
    table: U8 = np.full(256, 255, np.uint8)
    for c in CITYSCAPES_34.classes:
        table[c.class_id] = ids.get(c.name, 255)
    return table


# A CamVid class for each category.
CAMVID_OF = np.array([11, 3, 1, 2, 5, 0, 9, 8], np.uint8)
CODINGS = {
    "train ids": ("cityscapes-19", train_id_table()),
    "category ids": ("cityscapes-8", CITYSCAPES_34.category_table),
}


@pytest.mark.parametrize("coding", CODINGS)
def test_another_coding_stops_with_its_name(coding: str, town: Path, tmp_path: Path) -> None:
    root = Path(shutil.copytree(town, tmp_path / "data"))
    before = [s.mask for s in open_dataset("cityscapes", root, "train")]
    labels, table = CODINGS[coding]
    for path in root.glob("gtFine/train/*/*_labelIds.png"):
        cv2.imwrite(str(path), table[cv2.imread(str(path), cv2.IMREAD_UNCHANGED)])
    with pytest.raises(DataError, match=f"hold {coding} .*% void.*--truth-labels {labels}"):
        open_dataset("cityscapes", root, "train")
    for path in root.glob("gtFine/train/*/*_instanceIds.png"):
        path.unlink()  # numbered by label ids
    after = open_dataset("cityscapes", root, "train", labels=labels)
    if coding == "train ids":  # categories keep what the 19 classes ignore
        for sample, mask in zip(after, before, strict=True):
            np.testing.assert_array_equal(sample.mask, mask)


CAMVID_CODINGS = {
    "train ids": ("cityscapes-19", [10, 2, 5, 0, 1, 8, 7, 4, 13, 11, 18, 255]),
    "category ids": ("cityscapes-8", CAMVID_11.category_table[:12]),
}


@pytest.mark.parametrize("coding", CAMVID_CODINGS)
@pytest.mark.parametrize("void", [0.0, 0.05])
def test_another_coding_of_a_camvid_tree_stops_too(
    coding: str, void: float, town: Path, tmp_path: Path
) -> None:
    labels, table = CAMVID_CODINGS[coding]
    as_it_is = np.arange(12)
    for name, codes in (("right", as_it_is), ("wrong", np.array(table))):
        for folder in ("train", "trainannot"):
            (tmp_path / name / folder).mkdir(parents=True)
        for i, sample in enumerate(open_dataset("cityscapes", town, "train")):
            ids = CAMVID_OF[sample.mask]
            ids[: int(void * len(ids))] = 11  # unlabelled
            where = tmp_path / name
            cv2.imwrite(str(where / "train" / f"0001TP_{i}.png"), sample.image)
            mask = codes[ids].astype(np.uint8)
            cv2.imwrite(str(where / "trainannot" / f"0001TP_{i}.png"), mask)
    assert len(open_dataset("camvid", tmp_path / "right", "train")) == 4
    with pytest.raises(DataError, match=f"hold {coding} .*--truth-labels {labels}"):
        open_dataset("camvid", tmp_path / "wrong", "train")
    assert len(open_dataset("camvid", tmp_path / "wrong", "train", labels=labels)) == 4


def test_a_camvid_tree_without_road_users_is_none_of_another_coding(
    town: Path, tmp_path: Path
) -> None:
    for folder in ("train", "trainannot"):
        (tmp_path / folder).mkdir()
    for i, sample in enumerate(open_dataset("cityscapes", town, "train")):
        ids = CAMVID_OF[sample.mask]
        ids[ids > 7] = 3
        cv2.imwrite(str(tmp_path / "train" / f"0001TP_{i}.png"), sample.image)
        cv2.imwrite(str(tmp_path / "trainannot" / f"0001TP_{i}.png"), ids)
    assert len(open_dataset("camvid", tmp_path, "train")) == 4


def test_few_labels_are_no_other_coding(town: Path, tmp_path: Path) -> None:
    root = Path(shutil.copytree(town, tmp_path / "data"))
    for path in root.glob("gtFine/train/*/*_labelIds.png"):
        ids = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        cv2.imwrite(str(path), np.where(ids == 7, 7, 0).astype(np.uint8))
    assert len(open_dataset("cityscapes", root, "train")) == 4
