"""The corridor that a vehicle would take, with the time at which it was seen."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from roadmask import _native
from roadmask.stream.products.free_distance import COLUMN, nothing
from roadmask.stream.products.geometry import (
    CameraGeometry,
    End,
    Fault,
    Measurable,
    geometry_for,
    transform_of,
)


@dataclass(frozen=True)
class Corridor:
    """One corridor of one mask.

    Attributes:
        fault: why there is none, else ``Fault.NONE``.
        ahead: the record of ``FreeDistance.nearest``, along the heading.
        width_m, heading_deg: as given; the heading is to the right.
        capture_ns: when the mask's picture was taken, CLOCK_BOOTTIME; 0 where the mask is no
            stream's.
        valid_until_ns: when it may no longer be used; the same.
        corners_m: ``(4, 2)``, (x forward, y left): what is surely free, up to ``low_m``: near left,
            near right, far right, far left; zeros where nothing is known.
    """

    fault: Fault
    ahead: np.void
    width_m: float
    heading_deg: float
    capture_ns: int
    valid_until_ns: int
    corners_m: npt.NDArray[np.float64]

    @property
    def known(self) -> bool:
        """Whether ``ahead`` is a distance."""
        return bool(self.ahead["end"] != End.NOT_SEEN)

    @property
    def reason(self) -> str:
        """Why it is not known, else why it ends."""
        return self.fault.name if self.fault else End(int(self.ahead["end"])).name


@lru_cache(maxsize=8)
def _kernel(
    values: tuple[float, ...], corners: tuple[int, ...], limits: tuple[float, ...]
) -> _native.Corridor:
    return _native.Corridor(values, corners, limits)


def corridor(
    mask: Measurable,
    geometry: CameraGeometry | None = None,
    *,
    width_m: float,
    heading_deg: float = 0.0,
    farthest_m: float = 60.0,
    most_void: float = 0.5,
) -> Corridor:
    """The straight corridor from the camera's foot along a heading; a new heading costs little.

    Args:
        mask, geometry, farthest_m, most_void: as of ``free_distance``.
        width_m: full width that the vehicle needs.
        heading_deg: to the right of the vehicle's axis, -60 to 60.
    """
    times = getattr(mask, "capture_timestamp_ns", 0), getattr(mask, "valid_until_ns", 0)
    known, given = geometry_for(mask, geometry), (float(width_m), float(heading_deg))
    if known is None:
        record, corners = nothing()[0], np.zeros((4, 2))
        return Corridor(Fault.UNKNOWN_GEOMETRY, record, *given, *times, corners)
    kernel = _kernel(known.values, known.corners, (float(farthest_m), float(most_void)))
    fault, ahead, found = kernel.measure(mask.pixels, transform_of(mask), *given)
    record = np.frombuffer(ahead, COLUMN)[0]
    return Corridor(Fault(fault), record, *given, *times, np.array(found).reshape(4, 2))
