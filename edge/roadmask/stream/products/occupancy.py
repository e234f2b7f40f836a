"""The road from above: which squares are free, what stands in the others, what nobody sees."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from roadmask import _native
from roadmask.arrays import U8
from roadmask.stream.products.geometry import (
    CameraGeometry,
    Fault,
    Measurable,
    geometry_for,
    transform_of,
)

UNSEEN, FREE = 0, 1


@dataclass(frozen=True)
class Occupancy:
    """The grid of one mask.

    Attributes:
        fault: why there is none, else ``Fault.NONE``.
        cells: ``(rows, columns) uint8``, the nearest row first, each from left to right; empty
            after a fault. 1: every pixel that may show it is flat, and so is the way there; 2 to
            7: something of that category may stand there, humans and vehicles before all else; 0:
            nothing is known. "May": whatever the pitch is within its uncertainty.
        cell_m: side of a square.
        aside_m: the grid's left edge is so far left of the camera's foot; its first row begins
            there.
        low_m, high_m: ``(rows,)``, where along the road something that seems to stand in the
            middle of the row may truly stand.
    """

    fault: Fault
    cells: U8
    cell_m: float
    aside_m: float
    low_m: npt.NDArray[np.float64]
    high_m: npt.NDArray[np.float64]

    @property
    def known(self) -> bool:
        """Whether there is a grid."""
        return not self.fault

    @property
    def reason(self) -> str:
        """Why there is none, else NONE."""
        return self.fault.name


@lru_cache(maxsize=8)
def _kernel(
    values: tuple[float, ...], corners: tuple[int, ...], form: tuple[float, ...]
) -> _native.Occupancy:
    return _native.Occupancy(values, corners, form)


def occupancy(
    mask: Measurable,
    geometry: CameraGeometry | None = None,
    *,
    cell_m: float = 0.25,
    ahead_m: float = 40.0,
    aside_m: float = 10.0,
    most_void: float = 0.5,
) -> Occupancy:
    """Bird's-eye grid, metres in the vehicle's frame: origin below the camera, x forward, y left.

    Args:
        mask, geometry, most_void: as of ``free_distance``.
        cell_m: side of a square, 0.05 to 5.
        ahead_m: length of the grid from the camera's foot.
        aside_m: to either side; at most 2^20 cells in all.
    """
    known, empty = geometry_for(mask, geometry), np.zeros(0)
    if known is None:
        nothing = np.zeros((0, 0), np.uint8)
        return Occupancy(Fault.UNKNOWN_GEOMETRY, nothing, cell_m, aside_m, empty, empty)
    form = float(cell_m), float(ahead_m), float(aside_m), float(most_void)
    kernel = _kernel(known.values, known.corners, form)
    fault, cells, rows, columns, low, high = kernel.measure(mask.pixels, transform_of(mask))
    if fault:
        rows = columns = 0
        low = high = b""
    grid = np.frombuffer(cells, np.uint8).reshape(rows, columns)
    bounds = np.frombuffer(low), np.frombuffer(high)
    return Occupancy(Fault(fault), grid, cell_m, aside_m, *bounds)
