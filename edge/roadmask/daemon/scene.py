"""Lens and scene: what the network's own small input tells about the camera, ten times a second.

Five things are looked at, on a version of the picture 120 to 240 px wide:

* **dark** and **bright**: the fractions of pixels near black and near white.
* **detail**: energy of the 4-neighbour Laplacian at a quarter of that width. A covered lens shows
  none; fog, which scales all contrast down, leaves some.
* **sharpness**: the same energy at one scale over that two octaves coarser, the smaller of two such
  ratios. In pictures of a road it hardly changes, because their spectrum falls with one power of
  the frequency (Field, "Relations between the statistics of natural images", 1987), in fog and at
  night neither; a blurred lens takes the fine scale alone away (variance of the Laplacian as a
  measure of focus: Pech-Pacheco et al., 2000).
* **noise**: the larger of the two ratios. Nothing in the world has more energy at a fine scale than
  two octaves coarser, where averaging leaves a sixteenth of a sensor's noise.
* **content**: a hash. A sensor's noise never repeats; a stuck driver does, and one whose few
  buffers go round.

``docs/sources.md`` has the measurements behind the limits.
"""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

import cv2
import numpy as np

from roadmask._native import scene_stats
from roadmask.arrays import Image
from roadmask.daemon.config import SceneLimits
from roadmask.daemon.latch import Latches
from roadmask.stream.modes import Reason

_WIDTH = 240  # px, of the picture that is looked at, at most: wider, smooth noise has a structure
_RELEASE = 1.3  # a limit has to be passed by this factor before its reason goes again
_REMEMBERED = 16  # looks: pictures that go round are known when they are no more than these
_BLIND = 0.5  # above this share of black or white pixels, too little else is left to judge focus


class SceneStats(NamedTuple):
    """What one look at a picture gives."""

    dark: float
    bright: float
    detail: float
    sharpness: float
    noise: float
    content: int


class SceneCheck:
    """Looks at pictures now and then, and remembers what is wrong with them.

    Args:
        limits: see ``SceneLimits``.
        live: a camera owes a new picture each time, none of the last 16 looks; a file may show
            one again.

    Attributes:
        reasons: DARK, OVEREXPOSED, BLOCKED, FROZEN: those that hold now.
    """

    def __init__(self, limits: SceneLimits, live: bool) -> None:
        self._live = live
        self._next_ns = 0
        self._seen: deque[int] = deque(maxlen=_REMEMBERED)  # contents of the last looks
        self._planes: list[Image] = []  # the picture at falling scales
        self.use(limits)

    def use(self, limits: SceneLimits) -> None:
        """Other limits from the next look on; what was wrong has to be seen anew."""
        self._limits, self._every_ns = limits, round(limits.every_s * 1e9)
        self._latches = Latches(
            (Reason.DARK, Reason.OVEREXPOSED, Reason.BLOCKED, Reason.FROZEN),
            limits.raise_s,
            limits.clear_s,
        )
        self.reasons = Reason.NONE

    def due(self, capture_ns: int) -> bool:
        """Whether the frame captured at this time (ns) is to be looked at."""
        return self._every_ns > 0 and (capture_ns >= self._next_ns or not self._seen)

    def look(self, rgb: Image, capture_ns: int) -> Reason:
        """Judge a picture ``(H, W, 3) uint8`` RGB, and return ``reasons``."""
        self._next_ns = capture_ns + self._every_ns
        stats = self.measure(rgb)
        limits = self._limits
        frozen = self._live and stats.content in self._seen
        self._seen.append(stats.content)
        judged = {
            Reason.DARK: (stats.dark > limits.dark, _is_below(stats.dark, limits.dark)),
            Reason.OVEREXPOSED: (
                stats.bright > limits.bright,
                _is_below(stats.bright, limits.bright),
            ),
            Reason.BLOCKED: _blocked(stats, limits),
            Reason.FROZEN: (frozen, not frozen),
        }
        self.reasons = self._latches.update(judged, capture_ns)
        return self.reasons

    def measure(self, rgb: Image) -> SceneStats:
        """The numbers of one picture ``(H, W, 3) uint8`` RGB, at least 32 px a side."""
        scales = self._shrunk(rgb)
        seen = [scene_stats(plane) for plane in scales]
        energy = [stats[2] for stats in seen]
        # A quiet picture has no energy at any scale: that is lack of detail, not of focus.
        ratios = [energy[i] / max(energy[i + 2], 1e-3) for i in (0, 1)]
        *_, dark, bright, content = seen[0]
        return SceneStats(dark, bright, energy[2], min(*ratios, 1.0), max(ratios), content)

    @property
    def has_looked(self) -> bool:
        """There is a ``small`` picture."""
        return bool(self._planes)

    @property
    def small(self) -> Image:
        """The last picture, 120 to 240 px wide; the next look overwrites it."""
        return self._planes[0]

    def _shrunk(self, rgb: Image) -> list[Image]:
        """The picture 240, 120, 60 and 30 px wide or less, by area, in memory used again."""
        height, width = rgb.shape[:2]
        divisor = -(-width // _WIDTH)
        sizes = [
            (max(3, width // (divisor << k)), max(3, height // (divisor << k))) for k in range(4)
        ]
        if [plane.shape[1::-1] for plane in self._planes] != sizes:
            self._planes = [np.empty((h, w, 3), np.uint8) for w, h in sizes]
        source = rgb
        for plane, size in zip(self._planes, sizes, strict=True):
            cv2.resize(source, size, dst=plane, interpolation=cv2.INTER_AREA)
            source = plane
        return self._planes


def _blocked(stats: SceneStats, limits: SceneLimits) -> tuple[bool, bool]:
    """Whether the lens is covered or blurred, and whether it is clear; neither is in between."""
    if stats.dark > limits.dark or stats.bright > limits.bright:
        return False, True  # it has its name already
    blind = stats.dark > _BLIND or stats.bright > _BLIND
    blocked = (
        stats.detail < limits.detail
        or stats.noise > limits.noise
        or (stats.sharpness < limits.sharpness and not blind)
    )
    clear = (
        stats.detail > _RELEASE * limits.detail
        and stats.noise * _RELEASE < limits.noise
        and (stats.sharpness > _RELEASE * limits.sharpness or blind)
    )
    return blocked, clear


def _is_below(share: float, limit: float) -> bool:
    """Below the limit by so much that the share of the *other* pixels is ``_RELEASE`` times it."""
    return 1 - share > _RELEASE * (1 - limit)
