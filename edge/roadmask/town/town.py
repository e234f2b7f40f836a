"""The synthetic town: an endless, seeded drive down a street, with exact labels.

Source of the demo and of the tests, and training data for the shipped network. Every frame is a
pure function of seed, size, rate, weather and index; colour and label are painted by the same call
(see roadmask.town.canvas), so that no pixel's label is ever a guess.
"""

from __future__ import annotations

import itertools
import math
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
import numpy.typing as npt

from roadmask.errors import ConfigError
from roadmask.labels.catalogue import CITYSCAPES_34
from roadmask.town import layout, traffic, weather
from roadmask.town.canvas import FIRST_INSTANCE_SLOT, Camera, Canvas
from roadmask.town.ground import FAR_M
from roadmask.town.scene import Scene
from roadmask.town.textures import Textures
from roadmask.town.things import Block
from roadmask.town.weather import Lens
from roadmask.town.weather import skies as make_skies

WEATHERS = ("day", "dusk", "rain")
MIN_SIZE = (64, 48)  # width, height, px
_CACHED_BLOCKS = 16


@dataclass(frozen=True)
class TownFrame:
    """One frame of the drive.

    Attributes:
        index: number of the frame, from 0.
        image: ``(H, W, 3) uint8``, BGR.
        label_ids: ``(H, W) uint8``, Cityscapes label ids.
        instance_ids: ``(H, W) uint16``: ``label * 1000 + k`` for people and vehicles, else the
            label id, as in Cityscapes' ``instanceIds`` files.
    """

    index: int
    image: npt.NDArray[np.uint8]
    label_ids: npt.NDArray[np.uint8]
    instance_ids: npt.NDArray[np.uint16]

    @cached_property
    def category_mask(self) -> npt.NDArray[np.uint8]:
        """``(H, W) uint8``, cityscapes-8 ids 0–7."""
        return cv2.LUT(self.label_ids, CITYSCAPES_34.category_table)  # type: ignore[return-value]


class Town:
    """A drive at about 10 m/s through the town of one seed.

    Args:
        seed: town, its light, its camera's height and angle.
        width, height: of the frames, px; 64×48 or more, odd ones too.
        fps: frames per second of the drive.
        weather: None changes along the drive; ``day``, ``dusk`` or ``rain`` keeps one.

    Raises:
        ConfigError: a size, rate or weather that cannot be used.
    """

    def __init__(
        self,
        seed: int = 1,
        width: int = 1280,
        height: int = 720,
        fps: float = 30.0,
        *,
        weather: str | None = None,
    ) -> None:
        if width < MIN_SIZE[0] or height < MIN_SIZE[1] or width > 8192 or height > 8192:
            raise ConfigError(
                f"town size {width}x{height}: expected 64x48 to 8192x8192; give width and height"
            )
        if not (math.isfinite(fps) and fps > 0):
            raise ConfigError(f"town fps {fps}: expected a positive number")
        if weather is not None and weather not in WEATHERS:
            raise ConfigError(f"town weather {weather!r}: expected one of {', '.join(WEATHERS)}")
        self.seed, self.width, self.height, self.fps, self.weather = (
            seed, width, height, fps, weather,
        )  # fmt: skip
        self._plan = layout.Plan.make(seed)
        self._blocks: OrderedDict[int, Block] = OrderedDict()
        self._canvas = Canvas(width, height)
        # The field of view holds for 16:9 and wider; a taller picture is cropped at the sides.
        self._focal_px = (
            max(width, height * 1.6) / 2 / math.tan(math.radians(self._plan.fov_deg) / 2)
        )
        top = round(height * self._plan.horizon * 1.2) + 4
        self._scene = Scene(
            self._plan,
            Textures.make(seed, self._plan.kerb),
            make_skies(seed, width, top),
            self._canvas,
        )
        self._lens = Lens(seed, width, height)
        self._slots = np.empty((height, width), np.uint8)
        self._image = np.empty((height, width, 3), np.uint8)

    def frame(self, index: int) -> TownFrame:
        """The frame of that number; a pure function, in any order.

        Raises:
            ConfigError: a negative index.
        """
        if index < 0:
            raise ConfigError(f"town frame {index}: expected 0 or more")
        t = index / self.fps
        now = weather.state(self.seed, t, self.weather)
        camera = self._camera(t)
        first = math.floor(camera.s / layout.BLOCK_M)
        last = math.floor((camera.s + FAR_M + 60) / layout.BLOCK_M)
        blocks = [self._block(k) for k in range(first, last + 1)]
        movers = traffic.movers(self._plan, t, camera.s, camera.s + FAR_M)
        self._scene.paint(camera, now, blocks, movers, t)
        plane = self._canvas.plane
        slots, image = self._slots, self._image
        cv2.extractChannel(plane, 3, slots)
        cv2.cvtColor(plane, cv2.COLOR_BGRA2BGR, image)
        photo = self._lens.expose(image, slots, now, round(camera.horizon_px), index)
        labels, instances = self._labels(slots)
        return TownFrame(index, photo, labels, instances)

    def __iter__(self) -> Iterator[TownFrame]:
        return (self.frame(index) for index in itertools.count())

    def _camera(self, t: float) -> Camera:
        plan = self._plan
        # The body nods and sways: two slow sines and one quick one stand for springs and road.
        nod = 0.004 * math.sin(t * 2.1) + 0.0015 * math.sin(t * 9.7)
        return Camera(
            size=(self.width, self.height),
            focal_px=self._focal_px,
            horizon_px=self.height * plan.horizon + nod * self._focal_px,
            height_m=plan.camera_m,
            s=traffic.position(t),
            d=plan.lane + 0.18 * math.sin(t / 3.1),
            curve=plan.curve,
        )

    def _block(self, k: int) -> Block:
        if k not in self._blocks:
            self._blocks[k] = layout.block(self._plan, k)
            if len(self._blocks) > _CACHED_BLOCKS:
                self._blocks.popitem(last=False)
        return self._blocks[k]

    def _labels(
        self, slots: npt.NDArray[np.uint8]
    ) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint16]]:
        """Slots ``(H, W)`` to label ids and instance ids."""
        label_table = np.arange(256, dtype=np.uint8)
        instance_table = np.arange(256, dtype=np.uint16)
        counts: dict[int, int] = {}
        for i, label in enumerate(self._canvas.slot_labels):
            k = counts.get(label, 0)
            counts[label] = k + 1
            label_table[FIRST_INSTANCE_SLOT + i] = label
            instance_table[FIRST_INSTANCE_SLOT + i] = label * 1000 + k
        labels = cv2.LUT(slots, label_table)
        return labels, cv2.LUT(slots, instance_table)  # type: ignore[return-value]
