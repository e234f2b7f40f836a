"""Pick calibration frames: every drive has its share, and within it the frames that differ most."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from convert.calibration.frames import Manifest, pixel_digest
from roadmask.arrays import F64
from roadmask.data.datasets import Dataset
from roadmask.errors import ConfigError
from roadmask.labels.label_set import CATEGORY_COUNT, CATEGORY_NAMES

EVALUATION_SPLITS = ("val", "test")


def pick_frames(
    dataset: Dataset,
    split: str,
    count: int,
    seed: int,
    *,
    candidates: int = 1000,
    progress: Callable[[Iterator[Any], int], Iterator[Any]] = lambda frames, _: frames,
) -> Manifest:
    """Pick ``count`` frames of a training split and describe them.

    Each group (drive, city) gets frames in proportion to its size, one at least. Within a group
    the frames are clustered by category histogram and brightness; the one nearest to each centre
    is taken.

    Raises:
        ConfigError: an evaluation split, or more frames than there are.
    """
    if split in EVALUATION_SPLITS:
        raise ConfigError(
            f"split {split!r} is for evaluation: pick calibration frames from a training split"
        )
    if not 1 <= count <= len(dataset):
        raise ConfigError(f"--count {count}: expected 1 to {len(dataset)}, the frames of {split}")
    rng = np.random.default_rng(seed)
    drawn = np.sort(rng.permutation(len(dataset))[: max(candidates, count)])
    pool: dict[str, int] = {}  # pixel digest → index: a picture that occurs twice counts once
    features = []
    for index in progress(iter(drawn), len(drawn)):
        sample = dataset[int(index)]
        digest = pixel_digest(sample.image)
        if digest not in pool:
            pool[digest] = int(index)
            features.append(_features(sample.image, sample.mask))
    if count > len(pool):
        raise ConfigError(f"--count {count}: the split has only {len(pool)} different pictures")
    digests, indices, table = list(pool), list(pool.values()), np.array(features)
    groups: dict[str, list[int]] = {}
    for place, index in enumerate(indices):
        groups.setdefault(dataset.group(index), []).append(place)
    picked: list[int] = []
    for members, quota in zip(
        groups.values(), _quotas([len(g) for g in groups.values()], count), strict=True
    ):
        picked += [members[i] for i in _spread(table[members], quota, rng)]
    picked.sort()
    shares = table[picked, :CATEGORY_COUNT].mean(axis=0)
    return Manifest(
        dataset.name,
        split,
        len(dataset),
        seed,
        {name: round(float(s), 4) for name, s in zip(CATEGORY_NAMES, shares, strict=True)},
        {dataset.ids[indices[place]]: digests[place] for place in picked},
    )


def _features(image: npt.NDArray[np.uint8], mask: npt.NDArray[np.uint8]) -> F64:
    """Shares of the categories, then brightness and contrast, all within 0 to 1."""
    shares = np.bincount(mask.ravel(), minlength=CATEGORY_COUNT) / mask.size
    mean, deviation = cv2.meanStdDev(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY))
    return np.concatenate([shares, mean.ravel() / 255, deviation.ravel() / 128])


def _quotas(sizes: Sequence[int], count: int) -> list[int]:
    """Split ``count`` in proportion to ``sizes``: largest remainders, one each while it lasts."""
    total = sum(sizes)
    quotas = [math.floor(count * size / total) for size in sizes]
    remainders = [(count * size / total) % 1 for size in sizes]
    order = sorted(range(len(sizes)), key=lambda i: (quotas[i] > 0, -remainders[i], i))
    while sum(quotas) < count:
        for i in order:
            if quotas[i] < sizes[i] and sum(quotas) < count:
                quotas[i] += 1
    return quotas


def _spread(features: F64, count: int, rng: np.random.Generator) -> list[int]:
    """Indices of ``count`` rows, each the nearest to the centre of one cluster (Lloyd, 1982)."""
    if count >= len(features):
        return list(range(len(features)))
    if not count:
        return []
    centres = [features[rng.integers(len(features))]]
    for _ in range(count - 1):  # each start as far from the others as can be
        distance = np.min([((features - c) ** 2).sum(axis=1) for c in centres], axis=0)
        centres.append(features[int(distance.argmax())])
    means = np.array(centres)
    for _ in range(20):
        nearest = ((features[:, None] - means) ** 2).sum(axis=2).argmin(axis=1)
        for k in range(count):
            if (nearest == k).any():
                means[k] = features[nearest == k].mean(axis=0)
    taken: list[int] = []
    for mean in means:
        order = ((features - mean) ** 2).sum(axis=1).argsort(kind="stable")
        taken.append(next(int(i) for i in order if int(i) not in taken))
    return taken
