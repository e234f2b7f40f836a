"""What is looked at now and then, after a mask is out: for the next ones."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy.typing as npt

from roadmask.arrays import Image
from roadmask.daemon.mask_check import MaskCheck
from roadmask.daemon.scene import SceneCheck
from roadmask.stream.modes import Reason


class Looks(NamedTuple):
    """The picture that the network saw, and what it made of it."""

    scene: SceneCheck
    mask: MaskCheck

    @property
    def reasons(self) -> Reason:
        """What is wrong now."""
        return self.scene.reasons | self.mask.reasons

    def due(self, capture_ns: int) -> bool:
        """Whether the frame captured at this time (ns) is to be looked at."""
        return self.scene.due(capture_ns)

    def look(self, picture: Image, output: npt.NDArray[Any], capture_ns: int) -> None:
        """Judge a picture ``(H, W, 3) uint8`` RGB without padding, and the network's output."""
        self.scene.look(picture, capture_ns)
        self.mask.look(output, self.scene.small, capture_ns)
