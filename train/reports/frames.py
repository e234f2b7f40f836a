"""The same frames segmented by every network, beside the truth, as one picture."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from roadmask.arrays import Image
from roadmask.data.datasets import Dataset
from roadmask.imaging.overlay import colours, overlay
from roadmask.inference.predictor import Predictor
from roadmask.labels.catalogue import CITYSCAPES_8
from roadmask.labels.lookup import label_set
from train.keras_file import load_keras
from train.loop.keras_engine import KerasEngine
from train.runs.files import Run

_WIDTH_PX = 320
_BAR_PX = 22


def frame_sheet(runs: Sequence[Run], dataset: Dataset, count: int) -> Image:
    """``(H, W, 3) uint8`` BGR: a column a frame; truth first, then a row a run.

    Raises:
        ModelError: a network that cannot be read.
    """
    places = np.linspace(0, len(dataset) - 1, min(count, len(dataset))).astype(int)
    samples = [dataset[int(place)] for place in places]
    rows = [_row("frame", [s.image for s in samples])]
    rows.append(_row("truth", [colours(s.mask) for s in samples]))
    for run in runs:
        network = run.network
        if network is None:
            continue
        labels = label_set(run.record["config"].get("labels", CITYSCAPES_8.name))
        predictor = Predictor(KerasEngine(load_keras(network), labels))
        pictures = [overlay(s.image, predictor.mask(s.image), 0.75) for s in samples]
        rows.append(_row(run.name, pictures))
    return np.concatenate(rows)


def _row(title: str, pictures: Sequence[Image]) -> Image:
    sizes = [(_WIDTH_PX, round(p.shape[0] * _WIDTH_PX / p.shape[1])) for p in pictures]
    shrunk = [
        cv2.resize(p, size, interpolation=cv2.INTER_AREA)
        for p, size in zip(pictures, sizes, strict=True)
    ]
    height = max(p.shape[0] for p in shrunk)
    row = np.zeros((height + _BAR_PX, _WIDTH_PX * len(shrunk), 3), np.uint8)
    for place, picture in enumerate(shrunk):
        left = place * _WIDTH_PX
        row[_BAR_PX : _BAR_PX + picture.shape[0], left : left + _WIDTH_PX] = picture
    white = (255, 255, 255)
    cv2.putText(row, title, (6, 16), cv2.FONT_HERSHEY_SIMPLEX, 0.5, white, 1, cv2.LINE_AA)
    return row
