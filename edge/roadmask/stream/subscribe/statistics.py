"""What a reader saw of a stream: frames, gaps, ages."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from roadmask.stream.subscribe.subscriber import Mask


def percentiles(values: list[float]) -> dict[str, float | None]:
    """p50, p95 and p99; null where nothing was measured."""
    if not values:
        return {"p50": None, "p95": None, "p99": None}
    p50, p95, p99 = np.percentile(values, (50, 95, 99))
    return {"p50": round(float(p50), 3), "p95": round(float(p95), 3), "p99": round(float(p99), 3)}


@dataclass
class Seen:
    """What a reader saw of a stream."""

    frames: int = 0
    ages_ms: list[float] = field(default_factory=list)
    modes: Counter[str] = field(default_factory=Counter)

    def add(self, mask: Mask) -> None:
        """Count one frame."""
        self.frames += 1
        self.ages_ms.append(mask.age_ms)
        self.modes[mask.mode.name] += 1
