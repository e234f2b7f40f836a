"""Feed Keras: a mixture of data sets, augmented, deterministic under a seed, in several threads."""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass
from typing import Any

import cv2
import keras
import numpy as np
import numpy.typing as npt

from roadmask.data.datasets import Dataset
from roadmask.errors import ConfigError
from roadmask.imaging.nearest import nearest
from roadmask.labels.catalogue import CITYSCAPES_8
from roadmask.labels.label_set import LabelSet
from train.data.recipes import Augment, Recipe, load_recipe
from train.data.spoilt import spoil
from train.data.teacher import Teacher, as_masks, as_targets

_CACHE_MIB = 2048  # memory for decoded frames
_WORKERS = 2  # threads that prepare batches ahead, where Keras asks for them
Batch = tuple[npt.NDArray[np.float32], npt.NDArray[Any]]


@dataclass(frozen=True)
class Part:
    """A data set and the number of its samples in an epoch.

    Attributes:
        teacher: who labels the frames; None where masks are the truth.
        spoilt: the pictures show nothing, in whole or in a part: no class is likelier there.
    """

    dataset: Dataset
    samples: int
    teacher: Teacher | None = None
    spoilt: bool = False


class FrameCache:
    """RGB frames and masks in memory, shrunk to ``max_width``, up to a number of bytes.

    Args:
        limit_mib: memory; what does not fit is read again every time.
        max_width: larger frames are shrunk to it, px.
        labels: the set that the masks are brought to.
    """

    def __init__(self, limit_mib: int, max_width: int, labels: LabelSet = CITYSCAPES_8) -> None:
        self._labels = labels
        self._free = limit_mib << 20
        self._max_width = max_width
        self._frames: dict[
            tuple[int, int], tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]
        ] = {}
        self._lock = threading.Lock()

    def get(
        self, part: int, dataset: Dataset, index: int
    ) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
        """Frame ``(H, W, 3) uint8`` RGB and its mask ``(H, W) uint8``."""
        frame = self._frames.get((part, index))
        if frame is None:
            sample = dataset[index]
            image: npt.NDArray[Any] = cv2.cvtColor(sample.image, cv2.COLOR_BGR2RGB)
            mask: npt.NDArray[Any] = cv2.LUT(
                sample.label_ids, self._labels.table_from(dataset.labels)
            )
            height, width = mask.shape
            if width > self._max_width:
                size = (self._max_width, round(height * self._max_width / width))
                image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
                mask = nearest(mask, size)
            frame = (np.asarray(image, np.uint8), np.asarray(mask, np.uint8))
            with self._lock:
                self._free -= image.nbytes + mask.nbytes
                if self._free > 0:
                    self._frames[part, index] = frame
        return frame


class TrainingData(keras.utils.PyDataset):  # type: ignore[misc]
    """Batches ``(N, H, W, 3) float32`` RGB 0–255 and masks of the label set that is trained.

    Masks are ``(N, H, W) int32`` ids with ``labels.void_id`` where nothing counts, or with
    ``one_hot``, or where a part has a teacher or is spoilt, ``(N, H, W, labels.class_count)
    float32``, all zero there.

    Which frame stands where and how it is augmented depends on seed, epoch and place alone, so a
    resumed run sees the batches that an uninterrupted one would have seen.

    Args:
        parts: the data sets, and how much of each.
        size: width and height of the samples in px.
        batch_size: samples in a step; the last batch of an epoch may hold fewer.
        seed: decides order and augmentation.
        recipe: the augmentation; ``full`` by default.
        labels: the set that is trained; the data sets' own labels are mapped to it.
        one_hot: masks as one plane a class.

    Raises:
        ConfigError: no sample at all, or a data set that has no class of ``labels``.
    """

    def __init__(
        self,
        parts: list[Part],
        *,
        size: tuple[int, int],
        batch_size: int,
        seed: int,
        recipe: Recipe | None = None,
        labels: LabelSet = CITYSCAPES_8,
        one_hot: bool = False,
    ) -> None:
        super().__init__(workers=_WORKERS, max_queue_size=4)
        if sum(part.samples for part in parts) == 0:
            raise ConfigError("the training data hold no sample: give a split that holds frames")
        for part in parts:
            if part.teacher is None:
                labels.table_from(part.dataset.labels)
        self.epoch = 0
        self._labels = labels
        self._one_hot = one_hot or any(p.teacher is not None or p.spoilt for p in parts)
        # A list a part; asked once, for a teacher's answer does not change.
        self._soft = [p.teacher.soft_labels(p.dataset) if p.teacher else [] for p in parts]
        self._parts, self._size, self._seed = parts, size, seed
        self._batch_size = batch_size
        self._cache = FrameCache(_CACHE_MIB, 2 * size[0], labels)
        self._recipe = recipe or load_recipe()
        self._augment = threading.local()
        self._order: tuple[int, npt.NDArray[np.int64]] | None = None

    def __len__(self) -> int:
        return math.ceil(sum(p.samples for p in self._parts) / self._batch_size)

    def on_epoch_end(self) -> None:
        """Keras calls it after every epoch: the next one has another order."""
        self.epoch += 1

    def _epoch_order(self, epoch: int) -> npt.NDArray[np.int64]:
        """``(samples, 2)``: part and index of each sample of the epoch."""
        cached = self._order
        if cached is not None and cached[0] == epoch:
            return cached[1]
        rng = np.random.default_rng((self._seed, epoch))
        rows = []
        for number, part in enumerate(self._parts):
            # Whole permutations first, then a part of one: every frame comes equally often.
            repeats = math.ceil(part.samples / len(part.dataset))
            picked = np.concatenate([rng.permutation(len(part.dataset)) for _ in range(repeats)])
            rows += [(number, index) for index in picked[: part.samples]]
        order = np.array(rows, np.int64)[rng.permutation(len(rows))]
        self._order = (epoch, order)
        return order

    def __getitem__(self, batch: int) -> Batch:
        epoch = self.epoch
        first = batch * self._batch_size
        rows = self._epoch_order(epoch)[first : first + self._batch_size]
        width, height = self._size
        images = np.empty((len(rows), height, width, 3), np.float32)
        planes = (self._labels.class_count,) if self._one_hot else ()
        masks = np.empty((len(rows), height, width, *planes), np.float32 if planes else np.int32)
        seeds = np.random.SeedSequence((self._seed, epoch, batch)).generate_state(len(rows))
        for place, (part, index) in enumerate(rows):
            images[place], masks[place] = self._sample(int(part), int(index), int(seeds[place]))
        return images, masks

    def _sample(
        self, number: int, index: int, seed: int
    ) -> tuple[npt.NDArray[np.uint8], npt.NDArray[Any]]:
        part = self._parts[number]
        image, mask = self._cache.get(number, part.dataset, index)
        if part.teacher is not None:
            soft = as_masks(self._soft[number][index], (image.shape[1], image.shape[0]))
            image, soft = self._augmented(image, soft, seed, 0)
            return image, as_targets(soft)
        image, mask = self._augmented(image, mask, seed, self._labels.void_id)
        if not self._one_hot:
            return image, mask
        planes = self._planes(mask)
        if part.spoilt:
            image, hidden = spoil(image, seed)
            first, classes = self._labels.first_competing, self._labels.class_count
            planes[hidden, first:] = 1 / (classes - first)
        return image, planes

    def _augmented(
        self, image: npt.NDArray[np.uint8], mask: npt.NDArray[np.uint8], seed: int, void: int
    ) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
        made: dict[int, Augment] = self._augment.__dict__.setdefault("by_void", {})
        if void not in made:
            made[void] = Augment(self._size, self._recipe, void)
        return made[void](image, mask, seed)

    def _planes(self, mask: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        classes = np.arange(self._labels.class_count)
        classes[classes == self._labels.void_id] = -1  # in no mask: its plane stays zero
        return np.asarray(mask[..., None] == classes, np.float32)


def class_shares(
    dataset: Dataset, labels: LabelSet = CITYSCAPES_8, frames: int = 200
) -> npt.NDArray[np.float64]:
    """``(labels.class_count,)``: share of each class among the pixels of up to ``frames`` frames.

    Pixels that do not count are left out, but for the categories, whose void is class 0.
    """
    table = labels.table_from(dataset.labels)
    counts = np.zeros(256, np.int64)
    for index in np.linspace(0, len(dataset) - 1, min(frames, len(dataset))).astype(int):
        ids = cv2.LUT(dataset[int(index)].label_ids, table)
        counts += np.bincount(np.asarray(ids).ravel(), minlength=256)
    counts = counts[: labels.class_count]
    return np.asarray(counts / max(1, counts.sum()))
