"""Float and INT8 side by side over the evaluation frames: one pass, each frame read once."""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np
import numpy.typing as npt

from convert.calibration.frames import Calibration
from roadmask.arrays import Mask
from roadmask.data.datasets import Dataset
from roadmask.evaluation.metrics import ConfusionMatrix
from roadmask.imaging.nearest import nearest
from roadmask.inference.engine import Engine
from roadmask.inference.predictor import Predictor
from roadmask.labels.label_set import CATEGORY_COUNT, CATEGORY_NAMES, VOID
from roadmask.system.progress import track

WORST = 10  # frames that are kept as pictures
_PICTURE_WIDTH = 320  # px


@dataclass(frozen=True)
class Picture:
    """A frame with its truth and both masks, for people to look at.

    Attributes:
        frame_id: name of the frame.
        agreement: share of equal pixels.
        image: ``(h, w, 3) uint8`` BGR, shrunk.
        masks: truth, float and INT8, ``(h, w) uint8`` categories.
    """

    frame_id: str
    agreement: float
    image: Mask
    masks: tuple[Mask, Mask, Mask]


@dataclass
class Evaluation:
    """What both models made of the same frames.

    Attributes:
        before, after: confusion matrices of the float and the INT8 model.
        frames: ``(frames, 2, 8, 8)``: both matrices of every frame.
        agreement: share of equal pixels in each frame, void truth left out.
        ids: of the frames.
        pictures: of the frames that agree least, the worst first.
    """

    before: ConfusionMatrix = field(default_factory=ConfusionMatrix)
    after: ConfusionMatrix = field(default_factory=ConfusionMatrix)
    frames: list[npt.NDArray[np.int64]] = field(default_factory=list)
    agreement: list[float] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    pictures: list[Picture] = field(default_factory=list)

    @property
    def absent(self) -> list[str]:
        """Categories of which no frame has a pixel of truth."""
        truth = self.before.matrix.sum(axis=1)
        return [CATEGORY_NAMES[c] for c in range(1, CATEGORY_COUNT) if not truth[c]]

    @property
    def pixel_agreement(self) -> float:
        """Mean of ``agreement``."""
        return float(np.mean(self.agreement)) if self.agreement else float("nan")


def evaluate(
    before: Engine,
    after: Engine,
    dataset: Dataset,
    calibration: Calibration,
    title: str = "accuracy",
) -> Evaluation:
    """Score both models over the data set.

    Raises:
        DataError: a frame that is one of the calibration's.
    """
    predictors = Predictor(before), Predictor(after)
    result = Evaluation()
    for sample in track(dataset, title, len(dataset)):
        calibration.check_frame(sample.frame_id, sample.image)
        with sample.named():
            masks = [p.mask(sample.image) for p in predictors]
        own = []
        for matrix, mask in zip((result.before, result.after), masks, strict=True):
            start = matrix.matrix.copy()
            matrix.update(sample.mask, mask, sample.instances)
            own.append(matrix.matrix - start)
        scored = sample.mask != VOID
        result.frames.append(np.array(own))
        agreement = float(np.mean(masks[0][scored] == masks[1][scored])) if scored.any() else 1.0
        result.agreement.append(agreement)
        result.ids.append(sample.frame_id)
        if len(result.pictures) < WORST or agreement < result.pictures[-1].agreement:
            three = (sample.mask, masks[0], masks[1])
            result.pictures.append(_shrink(sample.frame_id, agreement, sample.image, three))
            result.pictures.sort(key=lambda picture: picture.agreement)
            del result.pictures[WORST:]
    return result


def _shrink(
    frame_id: str, agreement: float, image: Mask, masks: tuple[Mask, Mask, Mask]
) -> Picture:
    height, width = image.shape[:2]
    size = (_PICTURE_WIDTH, max(1, round(height * _PICTURE_WIDTH / width)))
    truth, before, after = (nearest(mask, size) for mask in masks)
    shrunk = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
    return Picture(frame_id, agreement, shrunk, (truth, before, after))
