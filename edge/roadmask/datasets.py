"""Read labelled driving frames: the Cityscapes layout, CamVid's, and the synthetic town.

Every reader gives the same thing: frame ids in a fixed order and, by index, the picture with its
mask of categories. NumPy and OpenCV only, so that accuracy can be measured on the board.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from roadmask.errors import ConfigError, DataError
from roadmask.images import IMAGE_SUFFIXES, read_image, read_instances, read_mask
from roadmask.labels import CAMVID_11, CITYSCAPES_34, LabelSet, label_set


@dataclass(frozen=True)
class Sample:
    """One labelled frame.

    Attributes:
        frame_id: name of the frame within its data set.
        image: ``(H, W, 3) uint8`` BGR.
        mask: ``(H, W) uint8`` categories; void where the truth is void or ignored.
        instances: ``(H, W) uint16``: 0 where the pixel belongs to no single object, else a number
            that is the object's own within the frame; None when the data set does not tell.
    """

    frame_id: str
    image: npt.NDArray[np.uint8]
    mask: npt.NDArray[np.uint8]
    instances: npt.NDArray[np.uint16] | None = None


class Dataset(ABC):
    """A split of a data set: a sequence of samples, read from disk when asked for."""

    name: str
    ids: Sequence[str]

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


@dataclass(frozen=True)
class _Files:
    image: Path
    mask: Path
    instances: Path | None = None


class FileDataset(Dataset):
    """Pairs of image and mask files, with the label set that the masks are coded in."""

    def __init__(self, name: str, files: dict[str, _Files], labels: LabelSet) -> None:
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
        unknown = np.flatnonzero(np.bincount(coded.ravel(), minlength=256) * ~self.labels.known_ids)
        if unknown.size:
            raise DataError(
                f"mask {files.mask} holds label id {unknown[0]}, which {self.labels.name} does not "
                "define: check that it is the right kind of mask file"
            )
        instances = None
        if files.instances is not None:
            instances = read_instances(files.instances)
            if instances.shape != coded.shape:
                raise DataError(f"instance file {files.instances} is not of its mask's size")
            # Cityscapes numbers an object labelId * 1000 + k; below 1000 it is a group or stuff.
            instances = np.where(instances >= 1000, instances, 0).astype(np.uint16)
        return Sample(frame_id, image, self.labels.truth_table[coded], instances)


class Subset(Dataset):
    """Some frames of another data set."""

    def __init__(self, dataset: Dataset, indices: Sequence[int]) -> None:
        self.name = dataset.name
        self.ids = [dataset.ids[i] for i in indices]
        self._dataset, self._indices = dataset, indices

    def __getitem__(self, index: int) -> Sample:
        return self._dataset[self._indices[index]]


_TOWN_SEEDS = {"train": 1000, "val": 2000, "test": 3000}


class TownDataset(Dataset):
    """Frames of the synthetic town; no two splits share a street, as each has seeds of its own."""

    def __init__(self, split: str, count: int, size: tuple[int, int]) -> None:
        from roadmask.synthetic import Town

        if split not in _TOWN_SEEDS:
            raise ConfigError(f"town split {split!r}: expected one of {', '.join(_TOWN_SEEDS)}")
        self.name = "town"
        # A new street every 8 frames, and 1.7 s between two frames of one street.
        self._places = [(_TOWN_SEEDS[split] + i // 8, (i % 8) * 51) for i in range(count)]
        self.ids = [f"town{seed}_{frame:06d}" for seed, frame in self._places]
        self._size = size
        self._town: tuple[int, Town] | None = None

    def __getitem__(self, index: int) -> Sample:
        from roadmask.synthetic import Town

        seed, number = self._places[index]
        if self._town is None or self._town[0] != seed:
            self._town = (seed, Town(seed, *self._size))
        frame = self._town[1].frame(number)
        # Number = labelId * 1000 + k, as Cityscapes codes single objects.
        instances = np.where(frame.instance_ids >= 1000, frame.instance_ids, 0).astype(np.uint16)
        return Sample(self.ids[index], frame.image, frame.category_mask, instances)


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
        name: ``camvid``, ``cityscapes`` or ``town``.
        root: the data set's folder; the town needs none.
        split: ``train``, ``val``, ``test``, or whatever the folder holds.
        labels: label set of the mask files, where it is not the data set's usual one.
        count: number of frames, for the town.
        size: width and height of the town's frames in px.

    Raises:
        ConfigError: unknown name, or no root given.
        DataError: a folder that lacks the split, or an image without its mask.
    """
    readers = {"camvid": _open_camvid, "cityscapes": _open_cityscapes}
    if name == "town":
        return TownDataset(split, count, size)
    if name not in readers:
        raise ConfigError(f"data set {name!r} is unknown: give camvid, cityscapes or town")
    if root is None:
        raise ConfigError(f"data set {name}: give its folder with --root")
    root = Path(root)
    if not root.is_dir():
        raise DataError(f"data set folder {root} is missing: give the folder that holds the splits")
    return readers[name](root, split, labels)


def _open_camvid(root: Path, split: str, labels: str | None) -> Dataset:
    images, masks = root / split, root / f"{split}annot"
    for folder in (images, masks):
        if not folder.is_dir():
            raise DataError(
                f"CamVid split {split!r}: folder {folder} is missing (expected {split}/ with the "
                f"frames and {split}annot/ with their masks)"
            )
    files = {}
    for image in sorted(images.iterdir()):
        if image.suffix.lower() not in IMAGE_SUFFIXES:
            continue
        mask = masks / f"{image.stem}.png"
        if not mask.is_file():
            raise DataError(f"frame {image} has no mask: expected {mask}")
        files[image.stem] = _Files(image, mask)
    if not files:
        raise DataError(f"CamVid split {split!r}: {images} holds no image")
    return FileDataset("camvid", files, label_set(labels) if labels else CAMVID_11)


def _open_cityscapes(root: Path, split: str, labels: str | None) -> Dataset:
    kind = "gtCoarse" if (root / "gtCoarse" / split).is_dir() else "gtFine"
    if (root / "gtFine" / split).is_dir():
        kind = "gtFine"
    images = root / "leftImg8bit" / split
    if not images.is_dir():
        raise DataError(
            f"Cityscapes split {split!r}: folder {images} is missing (expected "
            f"leftImg8bit/{split}/CITY/ and gtFine/{split}/CITY/ under {root})"
        )
    files = {}
    for image in sorted(images.glob("*/*_leftImg8bit.png")):
        frame_id = image.name.removesuffix("_leftImg8bit.png")
        stem = root / kind / split / image.parent.name / f"{frame_id}_{kind}"
        mask = Path(f"{stem}_labelIds.png")
        instances = Path(f"{stem}_instanceIds.png")
        if not mask.is_file():
            raise DataError(f"frame {image} has no mask: expected {mask}")
        files[frame_id] = _Files(image, mask, instances if instances.is_file() else None)
    if not files:
        raise DataError(f"Cityscapes split {split!r}: {images} holds no CITY/*_leftImg8bit.png")
    return FileDataset("cityscapes", files, label_set(labels) if labels else CITYSCAPES_34)
