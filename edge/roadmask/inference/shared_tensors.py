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
    """An array in memory that is shared page by page.

    Attributes:
        shape, dtype: of the array.
        region: number of the pages that it lies on; arrays that meet on one share a region.
        at: where in its region it begins, in bytes.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    region: int
    at: int

    @property
    def end(self) -> int:
        """Where in its region it ends."""
        return self.at + math.prod(self.shape) * self.dtype.itemsize


def places_of(arrays: Sequence[Tensor]) -> list[Place]:
    """Where arrays lie now; their regions are numbered as they rise."""
    found: list[tuple[int, Place]] = []
    region, base, end = -1, 0, 0
    for number in sorted(range(len(arrays)), key=lambda n: _address(arrays[n])):
        array, address = arrays[number], _address(arrays[number])
        if region < 0 or _floor(address) > _floor(end - 1):
            region, base = region + 1, _floor(address)
        end = address + array.nbytes
        found.append((number, Place(array.shape, array.dtype, region, address - base)))
    return [place for _, place in sorted(found)]


class SharedTensors:
    """A page for the turns, then the regions, each on pages of its own.

    Args:
        descriptor: of the memory file, as ``new_memory`` makes it; stays open.
        places: of the arrays.

    Attributes:
        turns: who is at work.
        arrays: the tensors.
    """

    def __init__(self, descriptor: int, places: Sequence[Place]) -> None:
        self._descriptor, self._places = descriptor, list(places)
        self._offsets = _offsets(places)
        memory = mmap.mmap(descriptor, self._offsets[-1])
        self.turns = _native.Turns(memoryview(memory)[: mmap.PAGESIZE])
        self.arrays: list[Tensor] = [
            np.frombuffer(
                memory, place.dtype, math.prod(place.shape), self._offsets[place.region] + place.at
            ).reshape(place.shape)
            for place in places
        ]

    def join(self, own: Sequence[Tensor]) -> bool:
        """Let the memory of a network's own arrays be this one, so that nothing is copied.

        Returns:
            Whether it is so: not where they lie otherwise than the places say, as those of an
            interpreter that was started anew may.
        """
        if places_of(own) != self._places:
            return False
        for region, offset in enumerate(self._offsets[:-1]):
            ranges = [
                (_address(array), array.nbytes)
                for array, place in zip(own, self._places, strict=True)
                if place.region == region
            ]
            _native.share_pages(sorted(ranges), self._descriptor, offset)
        return True


def new_memory(places: Sequence[Place]) -> int:
    """A descriptor of memory for them, empty."""
    descriptor = os.memfd_create("roadmask-tensors")
    os.ftruncate(descriptor, _offsets(places)[-1])
    return descriptor


def _offsets(places: Sequence[Place]) -> list[int]:
    """Of each region in the memory file, and its end."""
    offsets = [mmap.PAGESIZE]
    for region in range(max(place.region for place in places) + 1):
        end = max(place.end for place in places if place.region == region)
        offsets.append(offsets[-1] + _floor(end + mmap.PAGESIZE - 1))
    return offsets


def _floor(address: int) -> int:
    return address // mmap.PAGESIZE * mmap.PAGESIZE


def _address(array: Tensor) -> int:
    return int(array.__array_interface__["data"][0])
