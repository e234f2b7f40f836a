"""Memory for pictures that is used again only when nobody can see it any more."""

from __future__ import annotations

import sys

import numpy as np

from roadmask.arrays import Image


class BufferPool:
    """Arrays of one shape, handed out again when the pool alone refers to them.

    The interpreter's reference count decides: a frame, or a view of it, that anybody keeps pins
    its array, and a further one is made. So a consumer may keep what it likes, and a steady
    loop (one array being written, one in the slot, one or two in use) allocates nothing: page
    faults of a fresh 2.7 MB array cost as much as decoding a quarter of it.
    """

    def __init__(self) -> None:
        self._arrays: list[Image] = [np.empty((1, 1, 3), np.uint8)]
        self._unshared = sys.getrefcount(self._arrays[0])

    def take(self, *shape: int) -> Image:
        """A ``uint8`` array of this shape that nobody else holds, contents undefined."""
        if self._arrays[0].shape != shape:
            self._arrays = [np.empty(shape, np.uint8)]
        for index in range(len(self._arrays)):
            if sys.getrefcount(self._arrays[index]) == self._unshared:
                return self._arrays[index]
        self._arrays.append(np.empty(shape, np.uint8))
        if len(self._arrays) > 8:  # a consumer that hoards frames: keep the newest ones only
            del self._arrays[0]
        return self._arrays[-1]
