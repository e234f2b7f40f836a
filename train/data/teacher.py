"""Soft labels: what trained networks say of frames that nobody labelled (Hinton et al., 2015).

Every class keeps its probability. A hard label would pass on the teacher's misses as if they were
the truth; a distribution says how far it may be wrong.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import keras
import numpy as np
import numpy.typing as npt

from roadmask.data.datasets import Dataset, Sample
from roadmask.errors import DataError, ModelError
from roadmask.imaging.reading import IMAGE_SUFFIXES, pictures_under, read_image
from roadmask.labels.catalogue import CITYSCAPES_8
from roadmask.labels.label_set import LabelSet
from roadmask.system.progress import track
from train.keras_file import load_keras
from train.models import MODELS, at_size
from train.zoo import NETWORKS

Soft = npt.NDArray[np.uint8]
_WHOLE = 255  # a probability of 1


class Unlabelled(Dataset):
    """Every picture below a folder, by its path; all of its pixels are void.

    Raises:
        DataError: no folder, or no picture in it.
    """

    def __init__(self, root: Path, labels: LabelSet = CITYSCAPES_8) -> None:
        if not root.is_dir():
            raise DataError(f"--unlabelled {root}: no such folder")
        self._files = pictures_under(root)
        if not self._files:
            raise DataError(f"--unlabelled {root}: no picture ({', '.join(IMAGE_SUFFIXES)}) in it")
        self.name, self.labels = "unlabelled", labels
        self.ids = [path.relative_to(root).as_posix() for path in self._files]

    def __getitem__(self, index: int) -> Sample:
        image = read_image(self._files[index])
        void = np.full(image.shape[:2], self.labels.void_id, np.uint8)
        return Sample(self.ids[index], image, void, None, void)


@dataclass(frozen=True)
class Teacher:
    """Networks whose mean is asked, each of a frame and of its mirror image.

    Attributes:
        files: their ``.keras`` files.
        width: of the frame as they see it, px; None: their own input size. With a width the frame
            keeps its proportions, which is what a network trained on crops of any aspect sees best.
        labels: the set that they and the student are trained in.
        bottom: share of the frame's height, from below, that stays void: the car's own bonnet,
            which no network of ours was ever told of.
    """

    files: tuple[Path, ...]
    width: int | None
    labels: LabelSet
    bottom: float = 0.0

    @property
    def digest(self) -> str:
        """Of the files: what a run's record says of its teacher."""
        hasher = hashlib.sha256()
        for path in self.files:
            hasher.update(path.read_bytes())
        return hasher.hexdigest()[:16]

    def soft_labels(self, dataset: Dataset) -> list[Soft]:
        """``(h, w, classes) uint8`` a frame, at the networks' output size: probabilities in 1/255.

        Raises:
            ModelError: a file that is no network of the zoo, or of other classes.
        """
        networks: dict[tuple[int, int], list[keras.Model]] = {}
        loaded = [_load(path, self.labels) for path in self.files]
        soft = []
        for sample in track(dataset, "teacher", len(dataset)):
            size = self._size(sample.image.shape[:2], loaded)
            if size not in networks:
                networks[size] = [at_size(model, size) for model in loaded]
            soft.append(self._ask(networks[size], sample.image, size))
        return soft

    def _size(self, shape: tuple[int, int], loaded: Sequence[keras.Model]) -> tuple[int, int]:
        if self.width is None:
            return _input_size(loaded[0])
        stride = math.lcm(*(NETWORKS[m.name].stride for m in loaded))
        height = self.width * shape[0] / shape[1]
        across, down = (max(1, round(side / stride)) * stride for side in (self.width, height))
        return across, down

    def _ask(
        self, networks: list[keras.Model], image: npt.NDArray[np.uint8], size: tuple[int, int]
    ) -> Soft:
        seen = cv2.cvtColor(
            cv2.resize(image, size, interpolation=cv2.INTER_AREA), cv2.COLOR_BGR2RGB
        )
        both = np.stack([seen, seen[:, ::-1]]).astype(np.float32)
        first = self.labels.first_competing
        answers = []
        for network in networks:
            logits = np.asarray(network.predict_on_batch(both), np.float32)[..., first:]
            p = np.exp(logits - logits.max(-1, keepdims=True))
            p /= p.sum(-1, keepdims=True)
            answers += [p[0], p[1, :, ::-1]]
        mean = np.mean(answers, axis=0)
        whole = np.zeros((*mean.shape[:2], mean.shape[2] + first), np.float32)
        whole[..., first:] = mean
        whole[round((1 - self.bottom) * len(whole)) :] = 0
        return np.asarray(np.rint(whole * _WHOLE), np.uint8)


def _load(path: Path, labels: LabelSet) -> keras.Model:
    model = load_keras(path)
    if model.name not in MODELS or model.output_shape[-1] != labels.class_count:
        raise ModelError(
            f"teacher {path} is {model.name} of {model.output_shape[-1]} classes: expected a "
            f"network of the zoo trained in {labels.name} ({labels.class_count})"
        )
    return model


def _input_size(model: keras.Model) -> tuple[int, int]:
    _, height, width, _ = model.input_shape
    return int(width), int(height)


def as_masks(soft: Soft, size: tuple[int, int]) -> Soft:
    """The soft labels of a frame at ``size`` (width, height), bilinear."""
    return np.asarray(cv2.resize(soft, size, interpolation=cv2.INTER_LINEAR), np.uint8)


def as_targets(masks: Any) -> npt.NDArray[np.float32]:
    """Probabilities 0–1, a plane a class, where the frame ends all zero as for void."""
    return np.asarray(masks / np.float32(_WHOLE), np.float32)
