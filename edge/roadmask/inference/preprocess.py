"""From a camera frame to the network's input: shrink, BGR → RGB, quantise, in one pass."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from roadmask import _native
from roadmask.arrays import Tensor
from roadmask.errors import DataError
from roadmask.inference.engine import Engine
from roadmask.inference.geometry import Geometry, geometry
from roadmask.inference.tensors import Prepared
from roadmask.system.clock import now_ns

LARGEST_SIDE_PX = 16384  # of a frame, that the kernels take
_GREY = 128  # of the padding: nearly zero after the usual normalisations


class Preprocess:
    """Fit frames into a network's input tensor.

    Shrinking averages over the area that a pixel covers; growing is bilinear. What the tensor
    holds for a pixel is the engine's ``pixel_table``: mostly the pixel itself (less 128 for int8),
    for the normalisation of an integer input lies in its quantisation.

    Args:
        engine: the network.
        source: width and height of the frames in px, stretched to the whole input; or a
            ``Geometry``. Frames of another size are taken too, but the first one of each new size
            costs a new plan.
        dtype: of the tensors; by default that of the engine's ``input``.

    Raises:
        DataError: ``source``, or a later frame, is larger than the kernels take.
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
        spec = engine.input_spec
        self._dtype = dtype or spec.dtype
        self._rows, self._pixels = engine.pixel_table, engine.pixels
        if spec.dtype == np.uint8 and self._dtype == np.int8:
            self._rows = self._rows ^ 0x80  # the engine's own input behind its conversion
        x, y, width, height = source.inner
        self._inner = slice(y, y + height), slice(x, x + width)
        self._padded = (width, height) != source.network
        self._bgr = self._pixels is not None and self._pixels.bgr
        self._uniform = not self._bgr and bool((self._rows == self._rows[0]).all())
        # The kernel writes integers that are the same function of each channel by itself.
        self._direct = self._uniform and self._dtype != np.float32
        self._plain = self._direct and bool(
            (self._rows[0] ^ self._rows[0, 0] == np.arange(256)).all()
        )
        self._staging = None if self._direct else np.empty((height, width, 3), np.uint8)
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
        self._convert(self._staging, inner)
        prepared.ready_ns = now_ns()
        return prepared

    def pad(self, tensor: Tensor) -> None:
        """Fill with grey what ``into`` leaves as it is, the padding of a letterbox."""
        tensor[...] = self._rows[:, _GREY].copy().view(self._dtype)

    def preview(self, tensor: Tensor, out: npt.NDArray[np.uint8]) -> None:
        """Write what ``tensor`` shows into ``out`` ``(h, w, 3) uint8`` RGB."""
        if self._plain:
            np.bitwise_xor(tensor.view(np.uint8), self._rows[0, 0], out=out)
            return
        shown = out[..., ::-1] if self._bgr else out
        for channel, row in enumerate(self._rows):
            values = tensor[..., channel]
            if self._dtype == np.float32:
                shown[..., channel] = np.clip(
                    np.rint((values - row[0]) / (row[1] - row[0])), 0, 255
                )
            else:
                back = np.zeros(256, np.uint8)
                back[row] = np.arange(256, dtype=np.uint8)
                shown[..., channel] = back[values.view(np.uint8)]

    def _convert(self, rgb: npt.NDArray[np.uint8], out: Tensor) -> None:
        """What the kernel does not write itself: floats, or channels each by their own rule."""
        if self._uniform:
            assert self._pixels is not None
            np.multiply(rgb, np.float32(self._pixels.scale[0]), out=out)
            out += np.float32(self._pixels.offset[0])
            return
        given = rgb[..., ::-1] if self._bgr else rgb
        for channel, row in enumerate(self._rows):
            out[..., channel] = row[given[..., channel]].view(self._dtype)

    def _plan_for(self, source_size: tuple[int, int], layout: str = "bgr") -> None:
        if max(source_size) > LARGEST_SIDE_PX:
            width, height = source_size
            raise DataError(
                f"a picture of {width}x{height} px: at most {LARGEST_SIDE_PX} a side are taken; "
                "make it smaller, or cut it into parts"
            )
        self._planned = source_size, layout
        table = self._rows[0] if self._direct else None
        _, _, width, height = self._geometry.inner
        crop = self._geometry.crop_of(source_size)
        self._plan = _native.PreprocessPlan(source_size, (width, height), table, layout, crop)
