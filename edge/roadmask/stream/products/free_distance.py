"""Metres of flat road ahead, by the kernel that the C++ library has."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from roadmask import _native
from roadmask.stream.products.geometry import (
    CameraGeometry,
    End,
    Fault,
    Measurable,
    geometry_for,
    transform_of,
)

COLUMN = np.dtype(
    {
        "names": ["distance_m", "low_m", "high_m", "category", "end"],
        "formats": ["f8", "f8", "f8", "u1", "u1"],
        "offsets": [0, 8, 16, 24, 25],
        "itemsize": 32,
    }
)


def nothing() -> npt.NDArray[np.void]:
    """``(1,)``: the record of what is not known."""
    found: npt.NDArray[np.void] = np.zeros(1, COLUMN)
    found[["distance_m", "low_m", "high_m"]] = (np.nan, np.nan, np.nan)
    return found


@dataclass(frozen=True)
class FreeDistance:
    """Free distance of one mask.

    Attributes:
        fault: why there is none, else ``Fault.NONE``.
        columns: ``(W,)`` records, empty after a fault: ``distance_m`` forward from the camera's
            foot, NaN where ``end`` is ``NOT_SEEN``; ``low_m`` and ``high_m``, the same one mask
            row and the pitch's uncertainty to either side, ``high_m`` inf at the horizon;
            ``category``, the id that ended it; ``end``, an ``End``.
        nearest: the record whose ``low_m`` is the least, without the free columns that leave the
            corridor; ``NOT_SEEN`` too if no row shows both sides of the corridor.
    """

    fault: Fault
    columns: npt.NDArray[np.void]
    nearest: np.void

    @property
    def known(self) -> bool:
        """Whether ``nearest`` is a distance."""
        return bool(self.nearest["end"] != End.NOT_SEEN)

    @property
    def reason(self) -> str:
        """Why it is not known, else why it ends."""
        return self.fault.name if self.fault else End(int(self.nearest["end"])).name


@lru_cache(maxsize=8)
def _kernel(
    values: tuple[float, ...], corners: tuple[int, ...], limits: tuple[float, ...]
) -> _native.FreeDistance:
    return _native.FreeDistance(values, corners, limits)


def free_distance(
    mask: Measurable,
    geometry: CameraGeometry | None = None,
    *,
    farthest_m: float = 60.0,
    corridor_m: float | None = None,
    most_void: float = 0.5,
) -> FreeDistance:
    """Metres to the first pixel of each column that is not flat; void is not, nothing is averaged.

    Args:
        mask: a mask of a stream, or what lies as one.
        geometry: the camera's place; by default the one that the mask's stream tells.
        farthest_m: what is farther is not judged; up to 1000.
        corridor_m: full width straight ahead that is looked at; None: every column.
        most_void: share of the pixels that show the road; more void than that is a fault.
    """
    known = geometry_for(mask, geometry)
    if known is None:
        return FreeDistance(Fault.UNKNOWN_GEOMETRY, nothing()[:0], nothing()[0])
    width_m = float("inf") if corridor_m is None else float(corridor_m)
    kernel = _kernel(known.values, known.corners, (float(farthest_m), width_m, float(most_void)))
    fault, columns, nearest = kernel.measure(mask.pixels, transform_of(mask))
    found = np.frombuffer(columns, COLUMN)
    return FreeDistance(Fault(fault), found, np.frombuffer(nearest, COLUMN)[0])
