"""An output's values as the kernel takes them: int8 or float32, two channels or more."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from roadmask.arrays import F64, U8
from roadmask.inference.engine import Engine
from roadmask.inference.reading.ends import LOGITS, SIGMOID, SOFTMAX
from roadmask.labels.label_set import VOID


class Scores:
    """The values of a network that does not give ids.

    Logits as int8 or float32 go to the kernel as they are; uint8 has its top bit flipped.
    Probabilities, where a confidence is asked for, go as float32 in the output's own steps: a
    confidence is a ratio of two of them, and an order of integers stays what it was. A network of
    one class is given a second one that stands for the rest: a logit of 0, or the probability
    that is left.

    Args:
        engine: the network.
        table: ``(256,) uint8``: what the mask shows for each class.

    Attributes:
        channels: of what ``of`` gives.
        table: what the mask shows for each of them.
        first: first of them that competes.
        kind: ``logits``, ``softmax`` or ``sigmoid``.
        step: of ``kernels_reference.argmax_upsample``.
    """

    def __init__(self, engine: Engine, table: U8) -> None:
        spec, labels = engine.output_spec, engine.labels
        _, height, width, given = spec.shape
        self._spec, self._one_class = spec, given == 1
        self.channels = 2 if self._one_class else given
        self.kind = engine.ends_in
        self.table, self.first = table[: self.channels], labels.first_competing
        if self._one_class:
            # A set of one class leaves void; one of two has a class for the rest, the first.
            pair = (VOID, table[0]) if labels.class_count == 1 else table[:2]
            self.table, self.first = np.array(pair, np.uint8), 0
            self.kind = SOFTMAX if self.kind == SIGMOID else self.kind  # the two are a whole
        plain = 1 / 16 if self.kind == LOGITS else 1.0
        self.step = spec.scale or plain
        if self._one_class and self.kind == LOGITS:
            self.step = plain  # they are made real numbers
        shape = height, width, self.channels
        floats = self._one_class or self.kind != LOGITS
        self._int8 = np.zeros(shape if spec.dtype == np.uint8 else 0, np.int8)
        self._float = np.zeros(shape if floats else 0, np.float32)

    def of(self, output: npt.NDArray[Any], confidence: bool) -> npt.NDArray[Any]:
        """``(h, w, C)`` int8 or float32 of an output; the same memory each time.

        Args:
            output: the engine's, ``(h, w, C)``.
            confidence: whether one will be asked for.
        """
        if self._one_class:
            return self._with_the_rest(output[..., 0])
        if self.kind != LOGITS and confidence and self._spec.scale:
            np.subtract(output, np.float32(self._spec.zero_point), out=self._float)
            return self._float
        if output.dtype != np.uint8:
            return output
        np.bitwise_xor(output, np.uint8(0x80), out=self._int8.view(np.uint8))
        return self._int8

    def _with_the_rest(self, values: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        rest, own = self._float[..., 0], self._float[..., 1]
        np.subtract(values, np.float32(self._spec.zero_point), out=own)
        if self.kind == LOGITS:
            if self._spec.scale:
                own *= np.float32(self._spec.scale)
            return self._float
        np.subtract(np.float32(1 / self.step), own, out=rest)
        return self._float


def margins(step: float, kind: str = LOGITS) -> F64:
    """``(256,)``: the logit margin to the best rival that each of the kernel's levels stands for.

    Args:
        step: real value of one level of logits: an int8 output's scale, or ``UpsamplePlan``'s
            ``step`` for float logits.
        kind: what the values are. Levels of probabilities are shares of 255, and stand for what
            softmax made them of; the first and the last for a quarter of a level inside.
    """
    levels = np.arange(256, dtype=np.float64)
    if kind == LOGITS:
        return levels * step
    share = np.clip(levels, 0.25, 254.75) / 255
    return np.log(share / (1 - share))


def confidence_table(step: float, temperature: float = 1.0, kind: str = LOGITS) -> U8:
    """``(256,) uint8``: the kernel's level → 255 x the winner's softmax against its rival.

    Args:
        step, kind: of ``margins``.
        temperature: that the logits are divided by (Guo et al., "On Calibration of Modern Neural
            Networks", 2017); over 1 for a network that is surer than it is right.
    """
    if kind != LOGITS and temperature == 1:
        return np.arange(256).astype(np.uint8)  # as the network says
    margin = margins(step, kind) / temperature
    return np.floor(255.0 / (1.0 + np.exp(-margin)) + 0.5).astype(np.uint8)
