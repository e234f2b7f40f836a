"""How pictures are turned, as a source's URI says."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Turn:
    """How a picture is turned: clockwise first, then mirrored.

    Attributes:
        rotate: 0, 90, 180 or 270 degrees clockwise.
        hflip, vflip: left and right, above and below change places.
    """

    rotate: int = 0
    hflip: bool = False
    vflip: bool = False

    def __bool__(self) -> bool:
        return self.transposes or self.flip is not None

    def __str__(self) -> str:
        flips = [f"{name}=1" for name in ("hflip", "vflip") if getattr(self, name)]
        return "&".join([*([f"rotate={self.rotate}"] if self.rotate else []), *flips])

    @property
    def transposes(self) -> bool:
        """Whether width and height change places."""
        return self.rotate in (90, 270)

    @property
    def flip(self) -> int | None:
        """OpenCV's code of the flip that follows the transposition, None for none."""
        beside = self.hflip != (self.rotate in (90, 180))
        above = self.vflip != (self.rotate in (180, 270))
        return {(True, True): -1, (True, False): 1, (False, True): 0}.get((beside, above))

    def size(self, size: tuple[int, int]) -> tuple[int, int]:
        """(width, height) of a picture of this size once it is turned, or before it was."""
        return (size[1], size[0]) if self.transposes else size


NO_TURN = Turn()
