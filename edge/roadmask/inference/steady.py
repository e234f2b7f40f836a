"""``steady``: logits that hardly differ from those of the frames before are blended with them.

Less flicker, and what moves does not wait: the state's weight falls to nothing where a pixel's
logits differ by ``LIMIT``, and no pixel that the new frame claims for a human or a vehicle is ever
shown as another (``reference_kernels.steady``).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from roadmask import _native
from roadmask.errors import ConfigError
from roadmask.inference.engine import Engine
from roadmask.inference.reading.ends import LOGITS
from roadmask.labels.label_set import Category
from roadmask.system.ranges import STEADINESS

LIMIT = 5.0  # logits: of more, the new frame counts alone
GAP_NS = 200_000_000  # between two captures: after more, the first counts alone
_GUARDED = (Category.HUMAN, Category.VEHICLE)


class Steady:
    """The temporal filter of one network, with its state.

    Args:
        engine: the network.
        strength: weight of the frames before where nothing differs, 0.1 to 0.9.

    Raises:
        ConfigError: ``strength`` out of range, or a network that does not give int8 logits.

    Attributes:
        strength: as given.
    """

    def __init__(self, engine: Engine, strength: float) -> None:
        STEADINESS.check(strength, "steady")
        self.strength = strength
        spec, self._first = engine.output_spec, engine.labels.first_competing
        if engine.ends_in != LOGITS or spec.dtype != np.int8 or spec.shape[-1] < 2:
            raise ConfigError(
                f"steady {strength:g}: model {engine.name} gives no int8 logits of two classes or "
                "more, which are what is steadied; leave the option out or convert it to INT8"
            )
        _, height, width, classes = spec.shape
        self._plan = _native.SteadyPlan(
            (width, height),
            np.isin(engine.labels.channel_table[:classes], _GUARDED).astype(np.uint8),
            self._first,
            round(32768 * strength),
            max(1, min(255, round(LIMIT / (spec.scale or 1 / 16)))),
        )
        self._out = np.empty((height, width, classes), np.int8)
        self._last: tuple[int, int] | None = None  # number and time of the frame before

    def of(self, logits: npt.NDArray[Any], frame_id: int, capture_ns: int) -> npt.NDArray[Any]:
        """``(h, w, C) int8`` of the next frame, steadied; the same memory each time.

        A frame whose number or time is not later than the last one's, or later by more than
        ``GAP_NS``, counts alone. So does one that says nothing at its first pixel: a network that
        fails is to be seen.
        """
        last, self._last = self._last, (frame_id, capture_ns)
        if last is None or not (frame_id > last[0] and 0 < capture_ns - last[1] <= GAP_NS):
            self._plan.reset()
        first_pixel = logits[0, 0, self._first :]
        if (first_pixel == first_pixel[0]).all():
            self.forget()
            return logits
        self._plan.run(logits, self._out)
        return self._out

    def forget(self) -> None:
        """The next frame counts alone."""
        self._last = None
