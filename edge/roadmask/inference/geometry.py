"""What part of the camera's picture the network sees, where in its input, and what masks show."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from roadmask.errors import ConfigError
from roadmask.system.forms import CROP

FITS = ("stretch", "letterbox")
MASK_SIZES = ("network", "camera")
# Pixels of raw layouts share colours in twos, and a JPEG may be decoded at an eighth of its size:
# on multiples of 8 a crop is the same in all of them.
_STEP = 8


class Rect(NamedTuple):
    """A rectangle of whole pixels; x and y are its left and upper edge."""

    x: int
    y: int
    width: int
    height: int


class Transform(NamedTuple):
    """Camera pixel = scale x mask pixel + offset, (x, y), both counted at pixel centres."""

    scale: tuple[float, float]
    offset: tuple[float, float]


@dataclass(frozen=True)
class Geometry:
    """Camera picture → network's input → mask; every size is (width, height) px.

    A picture of another size than ``camera`` is taken for the same picture, scaled.

    Attributes:
        camera: size of the picture.
        crop: what is used of it.
        network: size of the network's input.
        inner: where in it the crop lies; around it is padding.
        mask_size: of the published mask: the network's input or the whole camera picture.
        mask_inner: what the network says something about; around it the mask is void (0).
    """

    camera: tuple[int, int]
    crop: Rect
    network: tuple[int, int]
    inner: Rect
    mask_size: tuple[int, int]
    mask_inner: Rect

    def crop_of(self, size: tuple[int, int]) -> Rect:
        """The crop in a picture of this size: the camera's own, or a smaller version of it."""
        if size == self.camera:
            return self.crop
        if self.crop == (0, 0, *self.camera):
            return Rect(0, 0, *size)
        left, right = (_scaled(x, size[0], self.camera[0]) for x in _ends(self.crop, 0))
        top, bottom = (_scaled(y, size[1], self.camera[1]) for y in _ends(self.crop, 1))
        right = max(2, min(right, size[0] // 2 * 2))
        bottom = max(2, min(bottom, size[1] // 2 * 2))
        left, top = max(0, min(left, right - 2)), max(0, min(top, bottom - 2))
        return Rect(left, top, right - left, bottom - top)

    def transform(self, size: tuple[int, int]) -> Transform:
        """How the mask of a camera picture of this size maps to that picture."""
        scale, offset = [], []
        for axis in (0, 1):
            zoom = size[axis] / self.camera[axis]
            shown, part = self.crop[2 + axis], self.mask_inner[2 + axis]
            per_pixel = zoom * shown / part
            begin = zoom * self.crop[axis] - per_pixel * self.mask_inner[axis]
            scale.append(per_pixel)
            # The middle of pixel 0 lies half a pixel from its edge, in both.
            offset.append(begin + (per_pixel - 1) / 2)
        return Transform((scale[0], scale[1]), (offset[0], offset[1]))

    @property
    def preview_size(self) -> tuple[int, int]:
        """Of the picture that is published beside a mask: it shows what the mask shows."""
        whole = self.crop == (0, 0, *self.camera) and self.inner == (0, 0, *self.network)
        if self.mask_inner == self.inner or whole:
            return self.network
        width, height = self.needed
        return min(width, self.camera[0]), min(height, self.camera[1])

    @property
    def preview_transform(self) -> Transform:
        """Preview pixel = scale x pixel of the network's ``inner`` + offset."""
        if self.preview_size == self.network:
            return Transform((1.0, 1.0), (float(self.inner.x), float(self.inner.y)))
        scale, offset = [], []
        for axis in (0, 1):
            zoom = self.preview_size[axis] / self.camera[axis]
            per_pixel = zoom * self.crop[2 + axis] / self.inner[2 + axis]
            scale.append(per_pixel)
            offset.append(zoom * self.crop[axis] + (per_pixel - 1) / 2)
        return Transform((scale[0], scale[1]), (offset[0], offset[1]))

    @property
    def needed(self) -> tuple[int, int]:
        """The least size of the whole picture in which the crop is as large as ``inner``."""
        return (
            -(-self.inner.width * self.camera[0] // self.crop.width),
            -(-self.inner.height * self.camera[1] // self.crop.height),
        )


def geometry(
    camera: tuple[int, int],
    network: tuple[int, int],
    *,
    crop: str = "",
    fit: str = "stretch",
    mask_size: str = "network",
) -> Geometry:
    """The geometry that the options ask for.

    Args:
        camera: (width, height) px of the picture.
        network: the same of the network's input.
        crop: ``X,Y,W,H`` in camera px, moved to multiples of 8; empty: the whole picture.
        fit: ``stretch`` fills the input; ``letterbox`` keeps the crop's proportions, with padding
            above and below or beside it.
        mask_size: ``network`` or ``camera``.

    Raises:
        ConfigError: unknown words, or a crop that does not lie in the picture.
    """
    for name, given, known in (("fit", fit, FITS), ("mask size", mask_size, MASK_SIZES)):
        if given not in known:
            raise ConfigError(f"{name} {given!r}: expected {' or '.join(known)}")
    used = _parse_crop(crop, camera) if crop else Rect(0, 0, *camera)
    inner = Rect(0, 0, *network)
    if fit == "letterbox":
        shrink = min(network[0] / used.width, network[1] / used.height)
        width = max(1, min(network[0], round(used.width * shrink)))
        height = max(1, min(network[1], round(used.height * shrink)))
        inner = Rect((network[0] - width) // 2, (network[1] - height) // 2, width, height)
    if mask_size == "network":
        return Geometry(camera, used, network, inner, network, inner)
    return Geometry(camera, used, network, inner, camera, used)


def _parse_crop(text: str, camera: tuple[int, int]) -> Rect:
    x, y, width, height = (int(part) for part in CROP.take(text, "crop"))
    if x + width > camera[0] or y + height > camera[1]:
        raise ConfigError(
            f"crop {text!r}: expected one inside the picture of {camera[0]}x{camera[1]}; "
            f"this one ends at {x + width},{y + height}"
        )
    left, right = (_snapped(value, camera[0]) for value in (x, x + width))
    top, bottom = (_snapped(value, camera[1]) for value in (y, y + height))
    if right - left < _STEP or bottom - top < _STEP:
        raise ConfigError(f"crop {text!r}: expected at least {_STEP} px a side")
    return Rect(left, top, right - left, bottom - top)


def _snapped(value: int, side: int) -> int:
    return min((value + _STEP // 2) // _STEP * _STEP, side // _STEP * _STEP)


def _ends(rect: Rect, axis: int) -> tuple[int, int]:
    return rect[axis], rect[axis] + rect[2 + axis]


def _scaled(value: int, target: int, source: int) -> int:
    """``value`` of ``source`` px in ``target`` px, on even pixels."""
    return (value * target + source) // (2 * source) * 2
