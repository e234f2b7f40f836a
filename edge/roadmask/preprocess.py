"""From a camera frame to the network's input: shrink, BGR → RGB, quantise, in one pass."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from roadmask import _native
from roadmask.engine import Engine

_DEFAULT_NORMALISATION = (1 / 127.5, -1.0)


class Preprocess:
    """Stretch BGR frames of one size into a network's input tensor.

    Shrinking averages over the area that a pixel covers; growing is bilinear. For an integer
    input the normalisation lies in the tensor's quantisation, so the tensor holds the pixel
    itself (less 128 for int8).

    Args:
        engine: the network.
        source_size: width and height of the frames in px.
    """

    def __init__(self, engine: Engine, source_size: tuple[int, int]) -> None:
        self.source_size = source_size
        width, height = engine.input_size
        self._float = engine.input_spec.dtype == np.float32
        # int8 is uint8 with the top bit flipped.
        table = np.arange(256, dtype=np.uint8)
        if engine.input_spec.dtype == np.int8:
            table ^= 0x80
        self._plan = _native.PreprocessPlan(source_size, (width, height), table)
        self._staging = np.empty((height, width, 3), np.uint8) if self._float else None
        scale, offset = engine.info.normalisation if engine.info else _DEFAULT_NORMALISATION
        self._scale, self._offset = np.float32(scale), np.float32(offset)

    def into(self, image: npt.NDArray[np.uint8], out: npt.NDArray[Any]) -> None:
        """Write ``image`` ``(H, W, 3) uint8`` BGR into ``out``, the engine's ``input``."""
        if self._staging is None:
            self._plan.run(image, out)
            return
        self._plan.run(image, self._staging)
        np.multiply(self._staging, self._scale, out=out)
        out += self._offset
