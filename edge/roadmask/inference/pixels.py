"""What numbers a network was trained on: from a pixel's byte to what its input tensor holds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from roadmask.arrays import U8
from roadmask.errors import ConfigError
from roadmask.system.forms import INPUT_RANGE

# Of ImageNet's pictures, as fractions of 255, R G B.
_IMAGENET_MEAN, _IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_NEAR = 0.02  # of a range's length: 1/128 for 1/127.5 is no other range
_LEAST_COVERED = 0.75


@dataclass(frozen=True)
class Pixels:
    """The network sees ``pixel * scale + offset``, one of each for R, G and B.

    Attributes:
        name: ``0..1``, ``imagenet``, …, for people.
        scale, offset: as above.
        bgr: the network's channels are B, G, R; scale and offset are in its order.
    """

    name: str
    scale: tuple[float, float, float]
    offset: tuple[float, float, float]
    bgr: bool = False

    @property
    def limits(self) -> tuple[float, float]:
        """The least and the largest number that the network sees."""
        ends = [s * p + o for s, o in zip(self.scale, self.offset, strict=True) for p in (0, 255)]
        return min(ends), max(ends)

    @property
    def uniform(self) -> bool:
        """Whether all channels are treated alike, in the order R, G, B."""
        return len(set(self.scale)) == 1 == len(set(self.offset)) and not self.bgr

    def values(self) -> npt.NDArray[np.float32]:
        """``(3, 256) float32``: what a float input holds for each byte."""
        byte = np.arange(256, dtype=np.float64)
        rows = [byte * s + o for s, o in zip(self.scale, self.offset, strict=True)]
        return np.array(rows, np.float32)

    def quantised(self, dtype: str, scale: float, zero_point: int) -> U8:
        """``(3, 256) uint8``: the bytes that an integer input holds.

        A step off throughout is how the same range is written otherwise: the pixel itself then.
        """
        limits, plain = np.iinfo(dtype), plain_table(dtype)
        steps = np.rint(self.values().astype(np.float64) / scale) + zero_point
        steps = np.clip(steps, limits.min, limits.max).astype(np.int16)
        if np.abs(steps - plain.view(dtype).astype(np.int16)).max() <= 1:
            return plain
        table: U8 = steps.astype(dtype).view(np.uint8)
        return table


def plain_table(dtype: str) -> U8:
    """``(3, 256) uint8``: the pixel itself, less 128 for int8."""
    flip = np.uint8(0x80 if dtype == "int8" else 0)
    table: U8 = np.tile(np.arange(256, dtype=np.uint8) ^ flip, (3, 1))
    return table


def from_limits(low: float, high: float) -> Pixels:
    """The range in which black is ``low`` and white is ``high``."""
    scale = (high - low) / 255
    return Pixels(f"{low:g}..{high:g}", (scale,) * 3, (low,) * 3)


def from_mean(mean: Sequence[float], std: Sequence[float], name: str = "") -> Pixels:
    """``(pixel - mean) / std``, pixels 0 to 255; one number or three of each.

    Raises:
        ConfigError: another count, or numbers that are none.
    """
    means, stds = (
        tuple(float(n) for n in row) * (3 if len(row) == 1 else 1) for row in (mean, std)
    )
    if len(means) != 3 or len(stds) != 3 or not all(map(math.isfinite, means + stds)):
        raise ConfigError(f"normalisation with mean {list(mean)} and deviation {list(std)}")
    offset = tuple(-m / s for m, s in zip(means, stds, strict=True))
    pixels = Pixels(name, tuple(1 / s for s in stds), offset)  # type: ignore[arg-type]
    return replace(pixels, name=name or _named(pixels))


IMAGENET = from_mean(
    [255 * m for m in _IMAGENET_MEAN], [255 * s for s in _IMAGENET_STD], "imagenet"
)


def input_range(text: str) -> Pixels:
    """What ``--input-range`` names: ``LOW..HIGH`` for black and white, or ``imagenet``.

    Raises:
        ConfigError: neither.
    """
    if text == "imagenet":
        return IMAGENET
    low, high = INPUT_RANGE.take(text, "--input-range")
    return from_limits(float(low), float(high))


def usual_range(low: float, high: float) -> Pixels | None:
    """The usual range that these limits are, give or take rounding; None for any other."""
    known = (from_limits(0, 1), from_limits(-1, 1), from_limits(0, 255), IMAGENET)
    for pixels in known:
        least, most = pixels.limits
        near = _NEAR * (most - least)
        if abs(low - least) <= near and abs(high - most) <= near:
            return pixels
    return None


def covers(low: float, high: float, pixels: Pixels) -> bool:
    """Whether a quantised input of these limits can show most of what the network sees."""
    least, most = pixels.limits
    return min(high, most) - max(low, least) >= _LEAST_COVERED * (most - least)


def _named(pixels: Pixels) -> str:
    low, high = pixels.limits
    known = usual_range(low, high)
    same = known is not None and np.allclose(known.values(), pixels.values(), atol=0.02)
    return known.name if known is not None and same else f"{low:.3g}..{high:.3g}"
