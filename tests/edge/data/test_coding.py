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
from roadmask.labels.catalogue import CITYSCAPES_19, CITYSCAPES_34
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


def test_few_labels_are_no_other_coding(town: Path, tmp_path: Path) -> None:
    root = Path(shutil.copytree(town, tmp_path / "data"))
    for path in root.glob("gtFine/train/*/*_labelIds.png"):
        ids = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        cv2.imwrite(str(path), np.where(ids == 7, 7, 0).astype(np.uint8))
    assert len(open_dataset("cityscapes", root, "train")) == 4
