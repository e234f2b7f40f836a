"""Learning rates: each a function of the step alone, so that a resumed run follows the same curve.

Linear warm-up from a twentieth of the peak, then the named schedule to the last step.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

_FLOOR = 0.005  # share of the peak that the cosine ends on

# From the share of the steps behind the warm-up, 0–1, to the share of the peak.
SCHEDULES: dict[str, Callable[[float], float]] = {
    "cosine": lambda t: _FLOOR + (1 - _FLOOR) * (1 + math.cos(math.pi * t)) / 2,
    "poly": lambda t: (1 - t) ** 0.9,  # DeepLab (Chen et al., 2017)
    "plateau": lambda _: 1.0,  # lowered by ``Plateau``
    "constant": lambda _: 1.0,
}


def learning_rate(schedule: str, peak: float, step: int, steps: int, warmup: int) -> float:
    """The rate of step ``step`` (from 0) of ``steps``, of which the first ``warmup`` rise."""
    if step < warmup:
        return peak * (1 / 20 + 19 / 20 * step / warmup)
    return peak * SCHEDULES[schedule](min(1.0, (step - warmup) / max(1, steps - warmup)))


@dataclass
class Plateau:
    """Counts the scores that brought nothing; plain numbers, so that a checkpoint can hold it.

    Attributes:
        best: highest score so far.
        best_epoch: when it came, from 1; 0 before the first.
        waited: scores since then, or since ``waited`` was set back.
    """

    best: float = -math.inf
    best_epoch: int = 0
    waited: int = 0

    def update(self, score: float, epoch: int) -> bool:
        """Take the score of an epoch; True if it is the best yet."""
        if score > self.best:
            self.best, self.best_epoch, self.waited = score, epoch, 0
            return True
        self.waited += 1
        return False
