"""Less work while heat or the supply hold the board back: fewer frames, then a smaller network."""

from __future__ import annotations

from dataclasses import replace

from roadmask.daemon.config import DaemonConfig
from roadmask.inference.model_file import smaller_in_family

# A step shows in the temperature after some seconds only; back up it takes longer than down, or a
# board at its limit would go to and fro.
_DOWN_NS, _UP_NS = 10_000_000_000, 30_000_000_000
_PLANS = {"off": 0, "rate": 1, "network": 2}
_SLOWER = 2  # times; but that a mask is still young when the next one comes


class StepDown:
    """How far the daemon went down from what is configured.

    Args:
        config: says how far it may.
        fps: of the camera; 0 of a source that is as fast as the daemon, which nothing is taken of.

    Attributes:
        level: 0 as configured, 1 half the frames, 2 the smaller network too.
    """

    def __init__(self, config: DaemonConfig, fps: float) -> None:
        self._most = _PLANS[config.step_down] if fps else 0
        self._fps, self._since_ns, self._held_back = fps, 0, False
        self._smaller = config.reduced_model or smaller_in_family(config.model)
        self.level = 0

    def look(self, held_back: bool, now_ns: int) -> bool:
        """Take in whether the board is held back now; whether ``level`` changed."""
        if held_back is not self._held_back or not self._since_ns:
            self._held_back, self._since_ns = held_back, now_ns
        long = now_ns - self._since_ns >= (_DOWN_NS if held_back else _UP_NS)
        level = min(self.level + 1, self._most) if held_back else max(self.level - 1, 0)
        if not long or level == self.level:
            return False
        self.level, self._since_ns = level, now_ns
        return True

    def of(self, config: DaemonConfig) -> DaemonConfig:
        """What is left of the configured settings at this level."""
        if self.level > 0:
            fps = min(self._fps, config.max_fps or self._fps)
            least = _SLOWER * 1000 / config.max_age_ms
            config = replace(config, max_fps=max(fps / _SLOWER, least)) if fps > least else config
        if self.level > 1:
            config = replace(config, model=self._smaller)
        return config
