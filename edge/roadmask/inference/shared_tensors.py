"""Memory that the daemon and its network's process both map: whose turn it is, and the tensors."""

from __future__ import annotations

import math
import mmap
import os
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from roadmask import _native
from roadmask.arrays import Tensor


class Place(NamedTuple):
    """An array, and where on its first page it begins, in bytes."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    at: int

    @property
    def nbytes(self) -> int:
        """Of the array."""
        return math.prod(self.shape) * self.dtype.itemsize

    @property
    def pages(self) -> int:
        """Bytes of the pages on which it lies."""
        return -(-(self.at + self.nbytes) // mmap.PAGESIZE) * mmap.PAGESIZE


def place_of(array: Tensor) -> Place:
    """Where an array lies now."""
    return Place(array.shape, array.dtype, _address(array) % mmap.PAGESIZE)


class SharedTensors:
    """A page for the turns, then each array on pages of its own.

    Args:
        descriptor: of the memory file, of ``SharedTensors.bytes_of(places)``; stays open.
        places: of the arrays.

    Attributes:
        turns: who is at work.
        arrays: the tensors.
    """

    def __init__(self, descriptor: int, places: Sequence[Place]) -> None:
        self._descriptor, self._places = descriptor, tuple(places)
        memory = mmap.mmap(descriptor, self.bytes_of(places))
        self.turns = _native.Turns(memoryview(memory)[: mmap.PAGESIZE])
        self.arrays: list[Tensor] = []
        self._offsets: list[int] = []
        offset = mmap.PAGESIZE
        for place in places:
            flat = np.frombuffer(memory, place.dtype, math.prod(place.shape), offset + place.at)
            self.arrays.append(flat.reshape(place.shape))
            self._offsets.append(offset)
            offset += place.pages

    @staticmethod
    def bytes_of(places: Sequence[Place]) -> int:
        """The size of the memory file."""
        return mmap.PAGESIZE + sum(place.pages for place in places)

    def join(self, own: Sequence[Tensor]) -> list[bool]:
        """Let the memory of a network's own arrays be this one, so that nothing is copied.

        Returns:
            Of each whether it is so: not where it lies otherwise on its pages than the place says,
            as an interpreter's that was started anew may, nor for two arrays on one page.
        """
        joined: list[bool] = []
        taken: list[range] = []
        for array, place, offset in zip(own, self._places, self._offsets, strict=True):
            start = _address(array) - place.at
            pages = range(start, start + place.pages)
            fits = start % mmap.PAGESIZE == 0 and not any(
                pages.start < other.stop and other.start < pages.stop for other in taken
            )
            if fits:
                _native.share_pages(_address(array), place.nbytes, self._descriptor, offset)
                taken.append(pages)
            joined.append(fits)
        return joined


def new_memory(places: Sequence[Place]) -> int:
    """A descriptor of memory for them, empty."""
    descriptor = os.memfd_create("roadmask-tensors")
    os.ftruncate(descriptor, SharedTensors.bytes_of(places))
    return descriptor


def _address(array: Tensor) -> int:
    return int(array.__array_interface__["data"][0])
