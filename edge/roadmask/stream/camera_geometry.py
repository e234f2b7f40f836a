"""The camera's lens and its place in the vehicle, and the bytes that carry them in the stream."""

from __future__ import annotations

import hashlib
import math
import struct
from dataclasses import dataclass, fields
from functools import lru_cache

PINHOLE, FISHEYE = "pinhole", "fisheye"
LENSES = (PINHOLE, FISHEYE)
MAX_EGO_CORNERS = 32
_BODY = struct.Struct("<4H15d")  # lens, width, height, 0; what BODY_FIELDS names
assert _BODY.size == 128
_BODY_FIELDS = (
    "fx", "fy", "cx", "cy", "k1", "k2", "k3", "k4", "p1", "p2",
    "height_m", "pitch_deg", "roll_deg", "yaw_deg", "pitch_uncertainty_deg",
)  # fmt: skip


@dataclass(frozen=True)
class CameraGeometry:
    """A camera over a flat road; ``roadmask/geometry.hpp`` has the same.

    Any value may be given; what cannot be measured with is a ``Fault`` of the product.

    Attributes:
        width, height: of the camera's picture, px.
        fx, fy, cx, cy: focal lengths and centre, px from the centre of the first pixel.
        k1, k2, k3, k4, p1, p2: distortion as in OpenCV: of a pinhole k1 k2 k3 of the radius and
            p1 p2, of a fisheye k1 to k4 of the angle.
        height_m: of the camera above the road, 0.1 to 20.
        pitch_deg: how far it looks down, -60 to 60; the horizon has to lie in the picture.
        roll_deg: how far it leans to the right, -45 to 45.
        yaw_deg: how far it looks to the right, -60 to 60.
        pitch_uncertainty_deg: the true pitch is no further off, 0 to 10.
        lens: ``pinhole`` or ``fisheye``.
        ego: corners (x, y), camera px, of what the camera sees of its own vehicle; at most 32,
            less than 3 are none. No product looks there.
    """

    width: float
    height: float
    fx: float
    fy: float
    cx: float
    cy: float
    k1: float = 0.0
    k2: float = 0.0
    height_m: float = 0.0
    pitch_deg: float = 0.0
    roll_deg: float = 0.0
    yaw_deg: float = 0.0
    pitch_uncertainty_deg: float = 0.0
    k3: float = 0.0
    k4: float = 0.0
    p1: float = 0.0
    p2: float = 0.0
    lens: str = PINHOLE
    ego: tuple[tuple[int, int], ...] = ()

    @classmethod
    def pinhole(
        cls,
        camera_size: tuple[int, int],
        field_of_view_deg: float,
        height_m: float,
        *,
        pitch_deg: float = 0.0,
        pitch_uncertainty_deg: float = 0.0,
    ) -> CameraGeometry:
        """Square pixels around the picture's middle; the field of view is the horizontal one."""
        width, height = camera_size
        half = math.tan(field_of_view_deg * (math.pi / 180) / 2)
        focal_px = width / 2 / half if half else math.nan
        return cls(
            width, height, focal_px, focal_px, (width - 1) / 2, (height - 1) / 2,
            height_m=height_m, pitch_deg=pitch_deg, pitch_uncertainty_deg=pitch_uncertainty_deg,
        )  # fmt: skip

    @property
    def values(self) -> tuple[float, ...]:
        """The 18 numbers in their order, as the kernel takes them; the lens last."""
        numbers = [float(getattr(self, name)) for name in NUMBERS]
        return (*numbers, float(LENSES.index(self.lens) + 1 if self.lens in LENSES else 0))

    @property
    def corners(self) -> tuple[int, ...]:
        """``ego`` as x, y, x, y, ..., as the kernel takes it."""
        return tuple(value for corner in self.ego for value in corner)

    @property
    def body(self) -> bytes:
        """The 128 bytes of a GEOMETRY entry; ``geometry_of`` reads them."""
        numbers = (float(getattr(self, name)) for name in _BODY_FIELDS)
        size = int(self.width), int(self.height)
        return _BODY.pack(LENSES.index(self.lens) + 1, *size, 0, *numbers)

    @property
    def digest(self) -> bytes:
        """SHA-256 of ``body``."""
        return hashlib.sha256(self.body).digest()

    @property
    def ego_body(self) -> bytes:
        """The bytes of an EGO entry."""
        return struct.pack(f"<{2 * len(self.ego)}H", *self.corners)


NUMBERS = tuple(each.name for each in fields(CameraGeometry) if each.name not in ("lens", "ego"))


@lru_cache(maxsize=16)
def geometry_of(body: bytes, ego: bytes = b"") -> CameraGeometry | None:
    """What a stream's entries say; None where the numbers are not told.

    Args:
        body: of the GEOMETRY entry.
        ego: of the EGO entry.
    """
    if len(body) != _BODY.size:
        return None
    lens, width, height, _, *numbers = _BODY.unpack(body)
    if not 1 <= lens <= len(LENSES):
        return None
    corners = struct.unpack(f"<{len(ego) // 4 * 2}H", ego[: len(ego) // 4 * 4])
    return CameraGeometry(
        width=width,
        height=height,
        lens=LENSES[lens - 1],
        ego=tuple(zip(corners[::2], corners[1::2], strict=True)),
        **dict(zip(_BODY_FIELDS, numbers, strict=True)),
    )
