"""Read labelled driving frames: the Cityscapes layout, CamVid's, and the synthetic town.

Every reader gives the same thing: frame ids in a fixed order and, by index, the picture with its
mask of categories. NumPy and OpenCV only, so that accuracy can be measured on the board.
"""

from __future__ import annotations

import difflib
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from roadmask.data.coding import check_coding
from roadmask.data.layouts import Files, find_camvid, find_cityscapes
from roadmask.errors import ConfigError, DataError
from roadmask.evaluation.instances import LARGEST_GROUP
from roadmask.imaging.reading import read_image, read_instances, read_mask
from roadmask.labels.catalogue import CAMVID_11, CITYSCAPES_34
from roadmask.labels.label_set import LabelSet
from roadmask.labels.lookup import label_set
from roadmask.storage.fetch import fetch_folder


@dataclass(frozen=True)
class Sample:
    """One labelled frame.

    Attributes:
        frame_id: name of the frame within its data set.
        image: ``(H, W, 3) uint8`` BGR.
        mask: ``(H, W) uint8`` categories; void where the truth is void or ignored.
        instances: ``(H, W) uint16``: 0 where the pixel belongs to no single object, else
            ``label * 1000 + k``, the object's own within the frame; None when the data set does
            not tell.
        label_ids: ``(H, W) uint8`` in the data set's own ``labels``.
        path: of the picture; None where it is drawn.
    """

    frame_id: str
    image: npt.NDArray[np.uint8]
    mask: npt.NDArray[np.uint8]
    instances: npt.NDArray[np.uint16] | None
    label_ids: npt.NDArray[np.uint8]
    path: Path | None = None

    @contextmanager
    def named(self) -> Iterator[None]:
        """What cannot be done with the picture, inside, is told with its name.

        Raises:
            DataError: the one that was raised inside, and of which frame.
        """
        try:
            yield
        except DataError as error:
            raise DataError(f"frame {self.path or self.frame_id}: {error}") from None


class Dataset(ABC):
    """A split of a data set: a sequence of samples, read from disk when asked for.

    Attributes:
        name: of the data set.
        ids: of its frames.
        labels: the set that ``Sample.label_ids`` are of.
    """

    name: str
    ids: Sequence[str]
    labels: LabelSet

    def __len__(self) -> int:
        return len(self.ids)

    def __iter__(self) -> Iterator[Sample]:
        for index in range(len(self)):
            yield self[index]

    @abstractmethod
    def __getitem__(self, index: int) -> Sample:
        """The sample at that place of ``ids``."""

    def group(self, index: int) -> str:
        """The drive or city that the frame comes from (calibration is stratified by it)."""
        return self.ids[index].split("_")[0]


class FileDataset(Dataset):
    """Pairs of image and mask files, with the label set that the masks are coded in."""

    def __init__(self, name: str, files: dict[str, Files], labels: LabelSet) -> None:
        self.name = name
        self.ids = list(files)
        self.labels = labels
        self._files = files

    def __getitem__(self, index: int) -> Sample:
        frame_id = self.ids[index]
        files = self._files[frame_id]
        image = read_image(files.image)
        coded = read_mask(files.mask)
        if coded.shape != image.shape[:2]:
            raise DataError(
                f"mask {files.mask} is {coded.shape[1]}x{coded.shape[0]} but its image is "
                f"{image.shape[1]}x{image.shape[0]}: they must be of one size"
            )
        counts = cv2.calcHist([coded], [0], None, [256], [0, 256]).ravel()
        unknown = np.flatnonzero((counts > 0) & ~self.labels.truth_ids)
        if unknown.size:
            raise DataError(
                f"mask {files.mask} holds label id {unknown[0]}, which {self.labels.name} "
                "does not define: check that it is the right kind of mask file"
            )
        instances = None if files.instances is None else self._instances(files, coded.shape)
        mask = np.asarray(cv2.LUT(coded, self.labels.truth_table), np.uint8)
        return Sample(frame_id, image, mask, instances, coded, files.image)

    def _instances(self, files: Files, shape: tuple[int, ...]) -> npt.NDArray[np.uint16]:
        assert files.instances is not None
        numbers = read_instances(files.instances)
        if numbers.shape != shape:
            raise DataError(
                f"instance file {files.instances} is {numbers.shape[1]}x{numbers.shape[0]} but its "
                f"mask is {shape[1]}x{shape[0]}: they must be of one size"
            )
        objects = single_objects(numbers)
        odd = objects[~self._numbers[objects // 1000]]
        if odd.size:
            raise DataError(
                f"instance file {files.instances} holds {odd[0]}, and {self.labels.name} tells no "
                f"objects of label {odd[0] // 1000} apart: expected label * 1000 + k"
            )
        return objects

    @cached_property
    def _numbers(self) -> npt.NDArray[np.bool_]:
        """``(66,) bool``: thousands that an instance number may have; 0 is no object."""
        known = np.zeros(66, np.bool_)
        known[0] = True
        for c in self.labels.classes:
            if c.class_id < len(known) and (c.instances or c.ignored):
                known[c.class_id] = True
        return known


def single_objects(numbers: npt.NDArray[np.uint16]) -> npt.NDArray[np.uint16]:
    """Instance numbers with 0 for groups and stuff, which Cityscapes codes by the label alone."""
    return np.asarray(np.where(numbers > LARGEST_GROUP, numbers, 0), np.uint16)


class Subset(Dataset):
    """Some frames of another data set."""

    def __init__(self, dataset: Dataset, indices: Sequence[int]) -> None:
        self.name, self.labels = dataset.name, dataset.labels
        self.ids = [dataset.ids[i] for i in indices]
        self._dataset, self._indices = dataset, indices

    def __getitem__(self, index: int) -> Sample:
        return self._dataset[self._indices[index]]


DATASETS = ("camvid", "cityscapes", "cityscapes-coarse", "town")
_TOWN_SEEDS = {"train": 1000, "val": 2000, "test": 3000}


class TownDataset(Dataset):
    """Frames of the synthetic town; no two splits share a street, as each has seeds of its own."""

    def __init__(self, split: str, count: int, size: tuple[int, int]) -> None:
        from roadmask.town.town import Town

        if split not in _TOWN_SEEDS:
            raise ConfigError(f"town split {split!r}: expected one of {', '.join(_TOWN_SEEDS)}")
        self.name, self.labels = "town", CITYSCAPES_34
        # A new street every 8 frames, and 1.7 s between two frames of one street.
        self._places = [(_TOWN_SEEDS[split] + i // 8, (i % 8) * 51) for i in range(count)]
        self.ids = [f"town{seed}_{frame:06d}" for seed, frame in self._places]
        self._size = size
        self._town: tuple[int, Town] | None = None
        self._lock = threading.Lock()  # a town draws on one canvas; loaders read in threads

    def __getitem__(self, index: int) -> Sample:
        from roadmask.town.town import Town

        seed, number = self._places[index]
        with self._lock:
            if self._town is None or self._town[0] != seed:
                self._town = (seed, Town(seed, *self._size))
            frame = self._town[1].frame(number)
        mask = np.asarray(cv2.LUT(frame.label_ids, CITYSCAPES_34.truth_table), np.uint8)
        instances = single_objects(frame.instance_ids)
        return Sample(self.ids[index], frame.image, mask, instances, frame.label_ids)


def open_dataset(
    name: str,
    root: str | Path | None = None,
    split: str = "train",
    *,
    labels: str | None = None,
    count: int = 200,
    size: tuple[int, int] = (1280, 720),
) -> Dataset:
    """Open a split of a data set.

    Args:
        name: one of ``DATASETS``; ``cityscapes`` takes gtFine, or gtCoarse where the split has no
            other (train_extra); ``cityscapes-coarse`` takes gtCoarse.
        root: the data set's folder, or an address of it or of an archive; the town needs none.
        split: ``train``, ``val``, ``test``, or whatever the folder holds.
        labels: label set of the mask files, where it is not the data set's usual one.
        count: number of frames, for the town.
        size: width and height of the town's frames in px.

    Raises:
        ConfigError: unknown name, or no root given.
        DataError: a folder that lacks the split, an image without its mask, or masks in another
            coding than ``labels``.
    """
    if name == "town":
        return TownDataset(split, count, size)
    if name not in DATASETS:
        near = difflib.get_close_matches(name, DATASETS, 1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise ConfigError(f"data set {name!r} is unknown: give one of {', '.join(DATASETS)}{hint}")
    if root is None:
        raise ConfigError(f"data set {name}: give its folder with --root")
    root = fetch_folder(root)
    if not root.is_dir():
        raise DataError(f"data set folder {root} is missing: give the folder that holds the splits")
    own = label_set(labels) if labels else None
    if name == "camvid":
        files, own = find_camvid(root, split), own or CAMVID_11
    else:
        coarse = name == "cityscapes-coarse"
        files, own = find_cityscapes(root, split, coarse=coarse), own or CITYSCAPES_34
    check_coding([f.mask for f in files.values()], own, f"{name} split {split!r}")
    return FileDataset(name, files, own)
