"""From a camera frame to the network's input: shrink, BGR → RGB, quantise, in one pass."""

from __future__ import annotations

from collections import deque
from typing import Any

import numpy as np
import numpy.typing as npt

from roadmask import _native
from roadmask.clock import now_ns
from roadmask.engine import Engine
from roadmask.geometry import Geometry, geometry
from roadmask.prepared import Prepared, Tensor, flat_bytes
from roadmask.sources.source import Frame

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


class TensorPool:
    """Preprocessed frames on their way to the network; nothing is allocated for a frame.

    A network that waits has its own input filled. Otherwise there are four tensors: one being
    filled, one in the capture slot, one that the network takes, one whose preview is being
    published. Whoever takes one gives it back with ``release``.
    """

    def __init__(self, engine: Engine, geometry: Geometry) -> None:
        self.preprocess = Preprocess(engine, geometry, engine.direct_input.dtype)
        self.needed = geometry.needed
        self._input, self._input_bytes = engine.direct_input, flat_bytes(engine.direct_input)
        # append and pop of a deque are atomic: it needs no lock.
        self._free = deque(Prepared(np.empty_like(self._input)) for _ in range(4))
        self._direct = deque([Prepared(self._input)])
        for prepared in (*self._free, *self._direct):
            self.preprocess.pad(prepared.tensor)

    def begin(self, frame: Frame, idle: bool) -> Prepared:
        """Start on a tensor of ``frame``, the caller's to ``finish`` and to ``release``.

        Args:
            frame: the picture.
            idle: the network waits for it.
        """
        free = self._direct if idle and self._direct else self._free
        return self.preprocess.begin(frame.image, free.popleft(), frame.layout)

    def feed(self, prepared: Prepared) -> None:
        """Put the tensor into the network's input, unless it is there."""
        if prepared.tensor is not self._input:
            self._input_bytes[:] = prepared.bytes

    def keep(self, prepared: Prepared) -> Prepared:
        """The same tensor where the network's next input does not overwrite it."""
        if prepared.tensor is not self._input:
            return prepared
        kept = self._free.popleft()
        kept.bytes[:] = prepared.bytes
        self._direct.append(prepared)
        return kept

    def release(self, prepared: Prepared) -> None:
        """Give back what ``begin`` or ``keep`` gave."""
        free = self._direct if prepared.tensor is self._input else self._free
        free.append(prepared)
