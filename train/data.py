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

from roadmask.datasets import Dataset
from train.augment import Augment, Recipe, load_recipe

Batch = tuple[npt.NDArray[np.float32], npt.NDArray[np.int32]]


@dataclass(frozen=True)
class Part:
    """A data set and the number of its samples in an epoch."""

    dataset: Dataset
    samples: int


class FrameCache:
    """RGB frames and masks in memory, shrunk to ``max_width``, up to a number of bytes."""

    def __init__(self, limit_mib: int, max_width: int) -> None:
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
            mask: npt.NDArray[Any] = sample.mask
            height, width = mask.shape
            if width > self._max_width:
                size = (self._max_width, round(height * self._max_width / width))
                image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
                mask = cv2.resize(mask, size, interpolation=cv2.INTER_NEAREST_EXACT)
            frame = (np.asarray(image, np.uint8), np.asarray(mask, np.uint8))
            with self._lock:
                self._free -= image.nbytes + mask.nbytes
                if self._free > 0:
                    self._frames[part, index] = frame
        return frame


class TrainingData(keras.utils.PyDataset):  # type: ignore[misc]
    """Batches ``(N, H, W, 3) float32`` RGB 0–255 and ``(N, H, W) int32`` categories.

    Which frame stands where and how it is augmented depends on seed, epoch and place alone, so a
    resumed run sees the batches that an uninterrupted one would have seen.

    Args:
        parts: the data sets, and how much of each.
        size: width and height of the samples in px.
        batch_size: samples in a step; the last batch of an epoch may hold fewer.
        seed: decides order and augmentation.
        recipe: the augmentation; ``full`` by default.
        cache_mib: memory for decoded frames.
        workers: threads that prepare batches ahead.
    """

    def __init__(
        self,
        parts: list[Part],
        *,
        size: tuple[int, int],
        batch_size: int,
        seed: int,
        recipe: Recipe | None = None,
        cache_mib: int = 2048,
        workers: int = 2,
        **options: Any,
    ) -> None:
        super().__init__(workers=workers, max_queue_size=4, **options)
        self.epoch = 0
        self._parts, self._size, self._seed = parts, size, seed
        self._batch_size = batch_size
        self._cache = FrameCache(cache_mib, max_width=2 * size[0])
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
        if not hasattr(self._augment, "it"):
            self._augment.it = Augment(self._size, self._recipe)
        epoch = self.epoch
        first = batch * self._batch_size
        rows = self._epoch_order(epoch)[first : first + self._batch_size]
        width, height = self._size
        images = np.empty((len(rows), height, width, 3), np.float32)
        masks = np.empty((len(rows), height, width), np.int32)
        seeds = np.random.SeedSequence((self._seed, epoch, batch)).generate_state(len(rows))
        for place, (part, index) in enumerate(rows):
            image, mask = self._cache.get(int(part), self._parts[part].dataset, int(index))
            images[place], masks[place] = self._augment.it(image, mask, int(seeds[place]))
        return images, masks


def category_shares(dataset: Dataset, frames: int = 200) -> npt.NDArray[np.float64]:
    """``(8,)``: share of each category among the pixels of up to ``frames`` frames."""
    counts = np.zeros(8, np.int64)
    for index in np.linspace(0, len(dataset) - 1, min(frames, len(dataset))).astype(int):
        counts += np.bincount(dataset[int(index)].mask.ravel(), minlength=8)
    return np.asarray(counts / counts.sum())
