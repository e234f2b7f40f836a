"""The network's input tensors that go round between capture and inference."""

from __future__ import annotations

from collections import deque

import numpy as np

from roadmask.inference.engine import Engine
from roadmask.inference.geometry import Geometry
from roadmask.inference.preprocess import Preprocess
from roadmask.inference.tensors import Prepared, flat_bytes
from roadmask.sources.source import Frame


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
            idle: the network waits for this very frame, and will be fed no other before it; see
                ``FrameSlot.wanted``.
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
