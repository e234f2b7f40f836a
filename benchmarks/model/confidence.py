"""Whether a confidence means what it says: calibration error, temperature, coverage by accuracy.

Everything comes from one table, how many pixels of each of the kernel's levels were right, so it is
exactly what a subscriber of the confidence plane sees. The fitted temperature is the one under
which the truth is likeliest (Guo et al., "On Calibration of Modern Neural Networks", 2017); fit it
on frames that training never saw, in the file that ships.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from roadmask.arrays import F64, U8
from roadmask.evaluation.reliability import calibration_error, count_right, reliability
from roadmask.inference.engine import Engine
from roadmask.inference.predictor import Predictor
from roadmask.inference.reading.ends import ARGMAX
from roadmask.inference.scores import confidence_table

COVERAGES = (1.0, 0.99, 0.95, 0.9, 0.8, 0.7, 0.5)
_TEMPERATURES = np.exp(np.linspace(np.log(0.25), np.log(8), 141))  # 2.5 % apart


class ConfidenceMeter:
    """Counts pixels that were right and wrong by the kernel's level.

    Args:
        engine: a network that does not end in ids.

    Attributes:
        predictor: that gives levels in place of confidences.
        counts: ``(256, 2)``: pixels of each level that were wrong, and right.
    """

    def __init__(self, engine: Engine) -> None:
        self.predictor = Predictor(engine, levels=True)
        self.counts: npt.NDArray[np.int64] = np.zeros((256, 2), np.int64)

    @property
    def table(self) -> U8:
        """Level → confidence of 255, by the file's temperature."""
        table = self.predictor.confidence_table
        assert table is not None
        return table

    def update(self, levels: U8, mask: U8, truth: U8) -> None:
        """Add a frame: its levels, mask and true categories, each ``(H, W)``; void truth is out."""
        self.counts += count_right(levels, mask, truth)

    def report(self) -> dict[str, Any]:
        """The key ``confidence`` of ``python -m benchmarks accuracy``."""
        says = self.table / 255
        fitted = self.fitted_temperature()
        info = self.predictor.engine.info
        return {
            **reliability(self.counts, says),
            "temperature": info.temperature if info else 1.0,
            "fitted_temperature": fitted,
            "fitted_ece": calibration_error(self.counts, self._under(fitted)),
            "coverage": _coverage(self.counts, says),
        }

    def fitted_temperature(self) -> float:
        """The one of the grid, 0.25 to 8, under which the truth is likeliest."""
        loss = [_log_loss(self.counts, self._under(float(t))) for t in _TEMPERATURES]
        return round(float(_TEMPERATURES[int(np.argmin(loss))]), 3)

    def _under(self, temperature: float) -> F64:
        scores = self.predictor.scores
        assert scores is not None
        return confidence_table(scores.step, temperature, scores.kind) / 255


def confidence_meter(engine: Engine) -> ConfidenceMeter | None:
    """A meter for the network, None for one that ends in ids."""
    return None if engine.ends_in == ARGMAX else ConfidenceMeter(engine)


def _coverage(counts: npt.NDArray[np.int64], says: F64) -> list[dict[str, float]]:
    """For each share of pixels to keep, the ``abstain`` that keeps at least it, and what comes."""
    order = np.argsort(-says, kind="stable")
    kept = np.cumsum(counts[order].sum(1)) / counts.sum()
    rows: list[dict[str, float]] = []
    for wanted in COVERAGES:
        last = min(int(np.searchsorted(kept, wanted - 1e-12)), len(order) - 1)
        inside = says >= says[order[last]]
        pixels = counts[inside].sum()
        rows.append(
            {
                "abstain": float(says[order[last]]),
                "coverage": float(pixels / counts.sum()),
                "accuracy": float(counts[inside, 1].sum() / pixels),
            }
        )
    return rows


def _log_loss(counts: npt.NDArray[np.int64], says: F64) -> float:
    p = np.clip(says, 1 / 1024, 1 - 1 / 1024)  # a confidence has eight bits
    return float(-(counts[:, 1] * np.log(p) + counts[:, 0] * np.log(1 - p)).sum())
