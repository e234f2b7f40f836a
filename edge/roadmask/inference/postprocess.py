"""From the network's output to a mask of categories, written where subscribers read it."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from roadmask import _native
from roadmask.arrays import U8, Mask
from roadmask.inference.engine import Engine
from roadmask.inference.geometry import Geometry, Rect
from roadmask.labels.label_set import VOID


class Postprocess:
    """Bilinear upsampling, argmax and the map to categories in one kernel.

    A network that ends in ArgMax gives ids; those are mapped and resized to the nearest.

    Args:
        engine: the network.
        mask_size: width and height of the masks in px, stretched over the network's input; or a
            ``Geometry``. By default the network's input size.
        table: ``(C,) uint8``: what the mask shows for each class, its category by default; 255 for
            one that is unknown.

    Attributes:
        mask_size: width and height of the masks in px.
        claimed: pixels of a mask about which the network says something.
        invalid: of the last mask, those that are void because the network gave NaN, infinity, a
            class that its label set does not have, or the same for every class everywhere.
    """

    def __init__(
        self,
        engine: Engine,
        mask_size: tuple[int, int] | Geometry | None = None,
        table: U8 | None = None,
    ) -> None:
        self._engine = engine
        self._table = engine.labels.channel_table if table is None else table
        self._input_size, self._window = engine.input_size, Rect(0, 0, *engine.input_size)
        if isinstance(mask_size, Geometry):
            self.mask_size, self._window = mask_size.mask_size, mask_size.inner
            inner = mask_size.mask_inner
        else:
            self.mask_size = mask_size or engine.input_size
            inner = Rect(0, 0, *self.mask_size)
        self._inner = None
        if inner != (0, 0, *self.mask_size):
            x, y, width, height = inner
            self._inner = slice(y, y + height), slice(x, x + width)
        self.claimed = inner.width * inner.height
        self._void = self.mask_size[0] * self.mask_size[1] - self.claimed
        self.invalid = 0
        self._first = engine.labels.first_competing
        spec = engine.output_spec
        self._plan: _native.UpsamplePlan | None = None
        if len(spec.shape) == 4:
            _, height, width, channels = spec.shape
            step = spec.scale if spec.dtype == np.int8 else 1 / 16
            self._plan = _native.UpsamplePlan(
                logits_size=(width, height),
                classes=channels,
                size=(inner.width, inner.height),
                table=self._table[:channels],
                first=self._first,
                confidence_table=confidence_table(step),
                step=step,
                input_size=self._input_size,
                window=self._window,
            )

    @property
    def gives_confidence(self) -> bool:
        """Whether the output tells how sure it is; ids do not."""
        return self._plan is not None

    def into(
        self,
        mask: Mask,
        confidence: Mask | None = None,
        output: npt.NDArray[Any] | None = None,
    ) -> list[int]:
        """Write the mask of the last ``invoke`` and return the pixels of each category.

        Where the network saw nothing of the camera's picture, mask and confidence are left as
        they are, which is to be 0: void.

        Args:
            mask: ``(H, W) uint8`` of ``mask_size``.
            confidence: the same, for the probability that the category is right, of 255; left
                as it is by a network that gives ids.
            output: a copy of the engine's output; its own by default.
        """
        output = self._engine.output if output is None else output
        if self._inner is not None:
            mask = mask[self._inner]
            confidence = None if confidence is None else confidence[self._inner]
        if self._plan is None:
            counts, self.invalid = _native.nearest_map(
                output, mask, self._table, self._input_size, self._window
            )
        else:
            counts, self.invalid = self._plan.run(output, mask, confidence)
            if max(counts) == self.claimed and not np.ptp(output[..., self._first :]):
                # Every class alike everywhere: the first would win without having said anything.
                mask[...] = VOID
                if confidence is not None:
                    confidence[...] = 0
                counts, self.invalid = [self.claimed, *[0] * 7], self.claimed
        counts[0] += self._void
        return counts

    def mask(self) -> Mask:
        """The same in a new array, for those who do not publish."""
        width, height = self.mask_size
        mask = np.zeros((height, width), np.uint8)
        self.into(mask)
        return mask


def confidence_table(step: float) -> U8:
    """``(256,) uint8``: margin in logit steps → 255 x the winner's softmax against its rival.

    Args:
        step: real value of one step of the margin: an int8 output's scale, or ``UpsamplePlan``'s
            ``step`` for float logits.
    """
    margin = np.arange(256, dtype=np.float64) * step
    return np.floor(255.0 / (1.0 + np.exp(-margin)) + 0.5).astype(np.uint8)
