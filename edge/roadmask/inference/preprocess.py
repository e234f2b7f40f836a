"""From a camera frame to the network's input: shrink, BGR → RGB, quantise, in one pass."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from roadmask import _native
from roadmask.arrays import Tensor
from roadmask.inference.engine import Engine
from roadmask.inference.geometry import Geometry, geometry
from roadmask.inference.tensors import Prepared
from roadmask.system.clock import now_ns

_DEFAULT_NORMALISATION = (1 / 127.5, -1.0)
_GREY = 128  # of the padding: nearly zero after the usual normalisations


class Preprocess:
    """Fit frames into a network's input tensor.

    Shrinking averages over the area that a pixel covers; growing is bilinear. For an integer
    input the normalisation lies in the tensor's quantisation, so the tensor holds the pixel
    itself (less 128 for int8).

    Args:
        engine: the network.
        source: width and height of the frames in px, stretched to the whole input; or a
            ``Geometry``. Frames of another size are taken too, but the first one of each new size
            costs a new plan.
        dtype: of the tensors; by default that of the engine's ``input``.
    """

    def __init__(
        self,
        engine: Engine,
        source: tuple[int, int] | Geometry,
        dtype: np.dtype[Any] | None = None,
    ) -> None:
        if not isinstance(source, Geometry):
            source = geometry(source, engine.input_size)
        self._geometry = source
        self._dtype = dtype or engine.input_spec.dtype
        # int8 is uint8 with the top bit flipped.
        self._flip = np.uint8(0x80 if self._dtype == np.int8 else 0)
        scale, offset = engine.info.normalisation if engine.info else _DEFAULT_NORMALISATION
        self._scale, self._offset = np.float32(scale), np.float32(offset)
        x, y, width, height = source.inner
        self._inner = slice(y, y + height), slice(x, x + width)
        self._padded = (width, height) != source.network
        self._staging = (
            np.empty((height, width, 3), np.uint8) if self._dtype == np.float32 else None
        )
        self._plan_for(source.camera)

    def into(self, image: npt.NDArray[np.uint8], out: Tensor, layout: str = "bgr") -> None:
        """Write ``image`` ``(H, W, 3) uint8`` BGR into ``out``, as the engine's ``input``.

        Args:
            image: the picture; another ``layout`` has another shape, see ``Frame``.
            out: ``(H, W, 3)`` of the engine's type.
            layout: bgr, grey, yuyv or nv12.
        """
        self.begin(image, Prepared(out), layout).finish()

    def begin(
        self, image: npt.NDArray[np.uint8], prepared: Prepared, layout: str = "bgr"
    ) -> Prepared:
        """Start what ``into`` does and return ``prepared``, which the caller has to ``finish``."""
        height, width = image.shape[:2]
        if layout == "nv12":
            height = height // 3 * 2
        if ((width, height), layout) != self._planned:
            self._plan_for((width, height), layout)
        inner = prepared.tensor[self._inner] if self._padded else prepared.tensor
        if self._staging is None:
            prepared.start(self._plan, image, inner)
            return prepared
        self._plan.run(image, self._staging)
        np.multiply(self._staging, self._scale, out=inner)
        inner += self._offset
        prepared.ready_ns = now_ns()
        return prepared

    def pad(self, tensor: Tensor) -> None:
        """Fill with grey what ``into`` leaves as it is, the padding of a letterbox."""
        tensor[...] = 0 if self._staging is not None else np.uint8(_GREY) ^ self._flip

    def preview(self, tensor: Tensor, out: npt.NDArray[np.uint8]) -> None:
        """Write what ``tensor`` shows into ``out`` ``(h, w, 3) uint8`` RGB."""
        if self._staging is None:
            np.bitwise_xor(tensor.view(np.uint8), self._flip, out=out)
        else:
            out[:] = np.rint((tensor - self._offset) / self._scale)

    def _plan_for(self, source_size: tuple[int, int], layout: str = "bgr") -> None:
        self._planned = source_size, layout
        table = np.arange(256, dtype=np.uint8) ^ self._flip
        _, _, width, height = self._geometry.inner
        crop = self._geometry.crop_of(source_size)
        self._plan = _native.PreprocessPlan(source_size, (width, height), table, layout, crop)
