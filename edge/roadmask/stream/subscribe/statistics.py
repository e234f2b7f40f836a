"""What a reader saw of a stream: frames, gaps, ages."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from roadmask.stream.subscribe.subscriber import Mask


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
