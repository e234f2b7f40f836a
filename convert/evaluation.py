"""Float and INT8 side by side over the evaluation frames: one pass, each frame read once."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from benchmarks.accuracy import Predictor
from convert.calibration import Calibration
from roadmask.datasets import Dataset
from roadmask.engine import Engine
from roadmask.labels import VOID
from roadmask.metrics import ConfusionMatrix

Mask = npt.NDArray[np.uint8]


@dataclass
class Evaluation:
    """What both models made of the same frames.

    Attributes:
        before, after: confusion matrices of the float and the INT8 model.
        frames: ``(frames, 2, 8, 8)``: both matrices of every frame.
        agreement: share of equal pixels in each frame, void truth left out.
        ids: of the frames.
    """

    before: ConfusionMatrix = field(default_factory=ConfusionMatrix)
    after: ConfusionMatrix = field(default_factory=ConfusionMatrix)
    frames: list[npt.NDArray[np.int64]] = field(default_factory=list)
    agreement: list[float] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)

    @property
    def pixel_agreement(self) -> float:
        """Mean of ``agreement``."""
        return float(np.mean(self.agreement)) if self.agreement else float("nan")


def evaluate(
    before: Engine, after: Engine, dataset: Dataset, calibration: Calibration
) -> Evaluation:
    """Score both models over the data set.

    Raises:
        DataError: a frame that is one of the calibration's.
    """
    predictors = Predictor(before), Predictor(after)
    result = Evaluation()
    for sample in tqdm(dataset, desc="accuracy", total=len(dataset), unit="frame"):
        calibration.check_frame(sample.frame_id, sample.image)
        masks = [p.mask(sample.image) for p in predictors]
        own = []
        for matrix, mask in zip((result.before, result.after), masks, strict=True):
            start = matrix.matrix.copy()
            matrix.update(sample.mask, mask, sample.instances)
            own.append(matrix.matrix - start)
        scored = sample.mask != VOID
        result.frames.append(np.array(own))
        result.agreement.append(float(np.mean(masks[0][scored] == masks[1][scored])))
        result.ids.append(sample.frame_id)
    return result
