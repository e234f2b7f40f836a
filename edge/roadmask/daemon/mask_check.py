"""Masks: what the network's own output tells about it, with each look at the scene.

Four things are looked at, on a mask half as wide as the network's output:

* **area**: one category over nearly all of the picture. A network that fails says one thing
  everywhere; a road does not.
* **confidence**: the mean of the plane. Every network has a scale of its own, so what it gave for
  its golden frames, which lie in the file, is the measure.
* **saturation**: integer logits at either end of their type. Calibration left room for all that it
  saw; more of them than the golden frames gave, and the pictures are not those that it saw.
* **flicker**: pixels where the picture stood still since the last look and the category did not.

``docs/sources.md`` has the measurements behind the limits.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from roadmask.arrays import U8, Image
from roadmask.daemon.config import MaskLimits, SceneLimits
from roadmask.daemon.latch import Latches
from roadmask.inference.engine import Engine
from roadmask.inference.geometry import Rect
from roadmask.inference.golden import Golden
from roadmask.inference.postprocess import Postprocess
from roadmask.inference.reading.ends import LOGITS
from roadmask.labels.label_set import CATEGORY_COUNT, VOID
from roadmask.stream.modes import Reason

_RELEASE = 1.3  # a limit has to be passed by this factor before its reason goes again
_STILL = 6  # grey levels: by so much a pixel changes that shows the same thing
_ENOUGH = 0.1  # share of still pixels below which flicker cannot be told
_DOUBT = 4.0  # times that of the golden frames, from which on a network is unsure
_IDS_WIDE = 96  # px, of the mask of a network that gives ids


class MaskStats(NamedTuple):
    """What one look at an output gives; None for what cannot be told."""

    area: float  # share of the largest category but void
    confidence: float | None
    saturated: float | None
    flicker: float | None


class MaskCheck:
    """Looks at outputs now and then, and remembers what is wrong with them.

    Args:
        limits: see ``MaskLimits``.
        times: of ``SceneLimits``: how long a reason takes to come and to go.
        engine: the network.
        inner: what of its input shows the camera's picture, px.
        golden: what it was certified to answer. Without them neither LOW_CONFIDENCE, unless its
            limit is set, nor DRIFT is judged.

    Attributes:
        reasons: IMPLAUSIBLE, LOW_CONFIDENCE, DRIFT, FLICKER: those that hold now.
    """

    def __init__(
        self,
        limits: MaskLimits,
        times: SceneLimits,
        engine: Engine,
        inner: Rect,
        golden: Golden | None = None,
    ) -> None:
        self._limits, self._engine = limits, engine
        width, height = engine.input_size
        size = _look_size(engine)
        self._postprocess = Postprocess(engine, size)
        self._mask = np.zeros(size[::-1], np.uint8)
        self._confidence = np.zeros_like(self._mask) if self._postprocess.gives_confidence else None
        sx, sy = size[0] / width, size[1] / height
        x, y = round(inner.x * sx), round(inner.y * sy)
        self._inner = (
            slice(y, max(y + 1, round((inner.y + inner.height) * sy))),
            slice(x, max(x + 1, round((inner.x + inner.width) * sx))),
        )
        self._last: tuple[U8, npt.NDArray[np.int16]] | None = None  # mask and picture
        self._latches = Latches(
            (Reason.IMPLAUSIBLE, Reason.LOW_CONFIDENCE, Reason.DRIFT, Reason.FLICKER),
            times.raise_s,
            times.clear_s,
        )
        self.reasons = Reason.NONE
        self.least_confidence, self.most_saturated = self._measures(golden)

    def _measures(self, golden: Golden | None) -> tuple[float | None, float | None]:
        """The limits that the network itself gives: least confidence, most saturation."""
        limits, given = self._limits, []
        for frame in golden.frames if golden else ():
            output = _as_given(frame.logits, golden, self._engine) if golden else None
            if output is not None:
                given.append(self.measure(output))
        least, most = limits.confidence, None
        sure = [stats.confidence for stats in given if stats.confidence is not None]
        if least is None and sure:
            least = max(0.5, 1 - _DOUBT * (1 - sum(sure) / len(sure)))
        ends = [stats.saturated for stats in given if stats.saturated is not None]
        if ends:
            most = max(ends) + limits.saturation
        return least, most

    def look(self, output: npt.NDArray[Any], picture: Image, capture_ns: int) -> Reason:
        """Judge an output of the engine's, and return ``reasons``.

        Args:
            output: the engine's, or a copy.
            picture: ``(H, W, 3) uint8``, what the output was made from, of any size.
            capture_ns: when that was captured.
        """
        stats, limits = self.measure(output, picture), self._limits
        judged = {
            Reason.IMPLAUSIBLE: _above(stats.area, limits.area, 1 / _RELEASE),
            Reason.LOW_CONFIDENCE: _below(stats.confidence, self.least_confidence),
            Reason.DRIFT: _above(stats.saturated, self.most_saturated),
            Reason.FLICKER: _above(stats.flicker, limits.flicker),
        }
        self.reasons = self._latches.update(judged, capture_ns)
        return self.reasons

    def measure(self, output: npt.NDArray[Any], picture: Image | None = None) -> MaskStats:
        """The numbers of one output."""
        self._postprocess.into(self._mask, self._confidence, output)
        mask = self._mask[self._inner]
        shares = np.bincount(mask.ravel(), minlength=CATEGORY_COUNT) / mask.size
        confidence = None
        if self._confidence is not None:
            # Where nothing is claimed nothing is doubted.
            claimed = mask != VOID
            sure = self._confidence[self._inner][claimed]
            confidence = float(sure.mean()) / 255 if sure.size else None
        return MaskStats(
            float(shares[VOID + 1 :].max()),
            confidence,
            _saturated(output) if self._engine.ends_in == LOGITS else None,
            None if picture is None else self._flicker(mask, picture),
        )

    def _flicker(self, mask: U8, picture: Image) -> float | None:
        size = mask.shape[1], mask.shape[0]
        small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA).astype(np.int16)
        last, self._last = self._last, (mask.copy(), small)
        if last is None:
            return None
        still = (np.abs(small - last[1]) <= _STILL).all(axis=2)
        if still.mean() < _ENOUGH:
            return None
        return float((mask[still] != last[0][still]).mean())


def _look_size(engine: Engine) -> tuple[int, int]:
    """Width and height of the mask that is looked at, px."""
    width, height = engine.input_size
    shape = engine.output_spec.shape
    wide = shape[2] // 2 if len(shape) == 4 and shape[2] > 1 else _IDS_WIDE
    wide = max(1, min(wide, _IDS_WIDE, width))
    return wide, max(1, round(wide * height / width))


def _saturated(output: npt.NDArray[Any]) -> float | None:
    """Share of an integer output's values at either end of its type."""
    if not np.issubdtype(output.dtype, np.integer):
        return None
    ends = np.iinfo(output.dtype)
    at_end = np.count_nonzero(output == ends.max) + np.count_nonzero(output == ends.min)
    return float(at_end / output.size)


def _as_given(
    logits: npt.NDArray[np.int8], golden: Golden, engine: Engine
) -> npt.NDArray[Any] | None:
    """Certified logits in the form in which the engine gives its own; None for one without."""
    spec = engine.output_spec
    if spec.shape[1:] != logits.shape or engine.ends_in != LOGITS:
        return None
    if logits.dtype == spec.dtype:
        return logits
    real = golden.scale * (logits.astype(np.float32) - golden.zero_point)
    return real if spec.dtype == np.float32 else None


def _above(
    value: float | None, limit: float | None, release: float = _RELEASE
) -> tuple[bool, bool]:
    """Whether a share is over its limit, and whether it is clearly under it."""
    if value is None or limit is None:
        return False, False
    if release < 1:  # near 1 the *other* share counts
        return value > limit, 1 - value > (1 - limit) / release
    return value > limit, value * release < limit


def _below(value: float | None, limit: float | None) -> tuple[bool, bool]:
    if value is None or limit is None:
        return False, False
    return value < limit, 1 - value < (1 - limit) / _RELEASE
