"""From the network's output to a mask of categories, written where subscribers read it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from roadmask import _native
from roadmask.arrays import U8, Mask
from roadmask.errors import ConfigError
from roadmask.inference.engine import Engine
from roadmask.inference.geometry import Geometry, Rect
from roadmask.inference.reading.ends import ARGMAX
from roadmask.inference.scores import Scores, confidence_table
from roadmask.labels.label_set import VOID
from roadmask.system.ranges import SHARE

MOST_INVALID = 0.001  # fraction of a mask where nothing is known; above it there is no mask


class Postprocess:
    """Bilinear upsampling, argmax and the map to categories in one kernel.

    A network that ends in ArgMax gives ids; those are mapped and resized to the nearest.

    Args:
        engine: the network.
        mask_size: width and height of the masks in px, stretched over the network's input; or a
            ``Geometry``. By default the network's input size.
        table: ``(C,) uint8``: what the mask shows for each class, its category by default; 255 for
            one that is unknown.
        abstain: a pixel with less confidence (0 to 1) than this is void: no claim.
        levels: confidence planes hold the kernel's levels, for who fits a temperature to them.

    Raises:
        ConfigError: ``abstain`` out of range, or for a network that gives ids.

    Attributes:
        confidence_table: ``(256,) uint8``: the kernel's level → confidence, by the temperature
            that the model file names.
        mask_size: width and height of the masks in px.
        scores: what the output's values are; None for ids.
        claimed: pixels of a mask about which the network says something.
        invalid: of the last mask, those that are void because the network gave NaN, infinity, a
            class that its label set does not have, or the same for every class everywhere.
    """

    def __init__(
        self,
        engine: Engine,
        mask_size: tuple[int, int] | Geometry | None = None,
        table: U8 | None = None,
        *,
        abstain: float = 0.0,
        levels: bool = False,
    ) -> None:
        SHARE.check(abstain, "abstain")
        self._engine, self._abstains = engine, abstain > 0
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
        self.scores: Scores | None = None
        self._plan: _native.UpsamplePlan | None = None
        self.confidence_table: U8 | None = None
        if engine.ends_in == ARGMAX and self._abstains:
            raise ConfigError(
                f"abstain {abstain:g}: model {engine.name} ends in class ids, which tell no "
                "confidence; leave the option out or give a model with logits"
            )
        if engine.ends_in != ARGMAX:
            self.scores = scores = Scores(engine, self._table)
            temperature = engine.info.temperature if engine.info else 1.0
            self.confidence_table = confidence_table(scores.step, temperature, scores.kind)
            _, height, width, _ = engine.output_spec.shape
            self._plan = _native.UpsamplePlan(
                logits_size=(width, height),
                classes=scores.channels,
                size=(inner.width, inner.height),
                table=scores.table,
                first=scores.first,
                confidence_table=np.arange(256).astype(np.uint8)
                if levels
                else self.confidence_table,
                threshold=math.ceil(255 * abstain),
                step=scores.step,
                input_size=self._input_size,
                window=self._window,
                scores=scores.kind,
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
        if self._plan is None or self.scores is None:
            counts, self.invalid = _native.nearest_map(
                output, mask, self._table, self._input_size, self._window
            )
        else:
            values = self.scores.of(output, confidence is not None or self._abstains)
            counts, self.invalid = self._plan.run(values, mask, confidence)
            if max(counts) == self.claimed and _says_nothing(values[..., self.scores.first :]):
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


def _says_nothing(values: npt.NDArray[Any]) -> bool:
    """Whether each pixel has the same value for every class."""
    return bool((values == values[..., :1]).all())
