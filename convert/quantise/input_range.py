"""The numbers that a network takes for pixels: told, or found out by what scores."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from convert.quantise.converter import Graph
from roadmask.errors import ConfigError
from roadmask.inference.pixels import Pixels, from_mean, input_range

USUAL = ("0..255", "0..1", "-1..1", "imagenet")  # the first is the pixel as it is
CHANNELS = ("rgb", "bgr")
_CLEARLY = 0.01  # of mean IoU, by which another reading must win over the network as it was given
Score = Callable[[Graph], float]


def fed_with_pixels(graph: Graph, pixels: Pixels) -> Graph:
    """The network fed with pixels: what its input needs is done by the quantisation where all
    channels are treated alike, else by a 1x1 convolution ahead of it.
    """
    inner_scale, inner_offset = graph.normalisation
    scale = [inner_scale * s for s in pixels.scale]
    offset = [inner_scale * o + inner_offset for o in pixels.offset]
    if pixels.uniform:
        return replace(graph, normalisation=(scale[0], offset[0]))
    kernel = np.diag(255 * np.array(scale, np.float32))
    if pixels.bgr:
        kernel = kernel[::-1]
    mixing = (kernel.astype(np.float32), np.array(offset, np.float32))
    return replace(graph, normalisation=(1 / 255, 0.0), mixing=mixing)


def named_range(name: str, channels: str = "rgb") -> Pixels:
    """One of ``USUAL``, or another ``LOW..HIGH`` of black and white.

    Raises:
        ConfigError: neither.
    """
    pixels = input_range(name)
    if channels == "rgb":
        return pixels
    blue_first = pixels.scale[::-1], pixels.offset[::-1]
    return replace(pixels, scale=blue_first[0], offset=blue_first[1], bgr=True)


def mean_range(mean: Sequence[float], std: Sequence[float], channels: str = "rgb") -> Pixels:
    """``(pixel - mean) / std``, pixels 0 to 255, one or three of each in the network's order.

    Raises:
        ConfigError: another count, or a deviation that is not above 0.
    """
    if not min(std) > 0 or not {len(mean), len(std)} <= {1, 3}:
        raise ConfigError(
            f"--mean {list(mean)} --std {list(std)}: expected one number or three of each, for "
            "pixels of 0 to 255, deviations above 0"
        )
    return replace(from_mean(mean, std), bgr=channels == "bgr")


@dataclass(frozen=True)
class FoundRange:
    """The range that is used, and mean IoU by range where several were tried."""

    used: Pixels
    scores: dict[str, float]

    @property
    def sentence(self) -> str:
        """What was tried, the best first."""
        order = sorted(self.scores, key=lambda name: -self.scores[name])
        tried = ", ".join(f"{100 * self.scores[name]:.1f} with {name}" for name in order)
        return f"input range {self.used.name}: mean IoU {tried}; --input-range says it"

    def to_json(self) -> dict[str, object]:
        """For the report."""
        channels = CHANNELS[self.used.bgr]
        return {"range": self.used.name, "channels": channels, "tried": self.scores}


def find_range(graph: Graph, score: Score, channels: str = "") -> FoundRange:
    """The usual range under which the network scores best; as it was given unless one is clearly
    better. The order of the channels is tried too, unless it is told.
    """
    order = channels or CHANNELS[0]
    ranges = [named_range(name, order) for name in USUAL]
    given = ranges[0]
    scores = {_title(tried, given): score(fed_with_pixels(graph, tried)) for tried in ranges}
    best = max(ranges, key=lambda tried: scores[_title(tried, given)])
    if not channels:
        swapped = named_range(best.name, "bgr")
        scores[_title(swapped, given)] = score(fed_with_pixels(graph, swapped))
        if scores[_title(swapped, given)] > scores[_title(best, given)] + _CLEARLY:
            best = swapped
    if scores[_title(best, given)] <= scores[_title(given, given)] + _CLEARLY:
        best = given
    return FoundRange(best, scores)


def _title(tried: Pixels, given: Pixels) -> str:
    name = f"{tried.name} bgr" if tried.bgr and not given.bgr else tried.name
    return f"{name} (as given)" if tried == given else name
