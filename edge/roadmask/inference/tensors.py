"""A network's input while it is being made of a picture, by the threads that have nothing to do."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from roadmask import _native
from roadmask.arrays import Tensor


def flat_bytes(array: npt.NDArray[Any]) -> memoryview:
    """The bytes of a contiguous array.

    Assignment between two of these copies and keeps Python's lock. NumPy gives it away during a
    copy, and the loop would have to wait for the thread that it has just woken to get it back.
    """
    return array.reshape(-1).view(np.uint8).data


class Prepared:
    """A tensor, and the work on it, with which any thread can help.

    Attributes:
        tensor: ``(H, W, 3)`` of the engine's type, to be read after ``finish``.
        bytes: the same memory, flat.
        ready_ns: CLOCK_BOOTTIME when it was filled.
    """

    __slots__ = ("_job", "_plan", "bytes", "ready_ns", "tensor")

    def __init__(self, tensor: Tensor) -> None:
        self.tensor = tensor
        self.bytes = flat_bytes(tensor)
        self.ready_ns = 0
        self._plan: _native.PreprocessPlan | None = None
        self._job = 0

    def start(
        self, plan: _native.PreprocessPlan, image: npt.NDArray[np.uint8], inner: Tensor
    ) -> None:
        """Begin to fill ``inner`` from ``image``, which must stay as it is until ``finish``.

        ``inner`` is the tensor or a part of it.
        """
        self._job = plan.start(image, inner)
        self._plan = plan

    def finish(self, step_aside: bool = False) -> int:
        """Work on the tensor until it is filled, and return ``ready_ns``.

        ``step_aside`` is for the thread that is not in a hurry: the other one would have to be
        woken again to get Python's lock after it.
        """
        if self._plan is not None:
            self.ready_ns = self._plan.finish(self._job, step_aside)
        return self.ready_ns
