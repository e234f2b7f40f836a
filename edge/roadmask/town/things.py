"""The things that stand and move in the town, as plain data.

Positions are street coordinates in metres (see canvas.Camera); ``side`` is -1 left, +1 right.
"""

from __future__ import annotations

from dataclasses import dataclass

from roadmask.town.canvas import Color


@dataclass(frozen=True)
class Building:
    """A house from ``s`` to ``s_end``, its front at distance ``front`` from the centre line."""

    s: float
    s_end: float
    side: int
    front: float
    depth: float
    height: float
    roof: float  # height of the ridge over the eaves, 0 = flat
    style: int
    column: float  # where on the facade texture it starts, metres
    tint: Color
    roof_color: Color
    bare: bool  # the end that faces us is not hidden by the next house


@dataclass(frozen=True)
class Strip:
    """A hedge, wall or fence along the street."""

    s: float
    s_end: float
    side: int
    front: float
    height: float
    kind: str  # hedge | wall | fence
    tint: Color


@dataclass(frozen=True)
class Tree:
    """A tree or, with no trunk, a bush."""

    s: float
    d: float
    height: float
    spread: float
    trunk: float  # height of the lowest leaves
    crown: int
    tint: Color


@dataclass(frozen=True)
class Post:
    """A pole with what it carries: lamp, sign, lights, bollard or mast."""

    s: float
    d: float
    kind: str
    height: float
    variant: int
    color: Color


@dataclass(frozen=True)
class Vehicle:
    """A vehicle; ``yaw`` radians, 0 = driving our way. ``moving`` ones have a driver's lights."""

    s: float
    d: float
    yaw: float
    kind: str
    paint: Color
    size: tuple[float, float, float]  # factors of width, length, height
    moving: bool = False
    braking: bool = False


@dataclass(frozen=True)
class Human:
    """Somebody on foot, or on a two-wheeler (``mount`` = bicycle | motorcycle)."""

    s: float
    d: float
    yaw: float  # 0 = walks our way, pi/2 = to the right
    phase: float  # of the step, radians; standing people have None of it: stride 0
    stride: float
    height: float
    look: int
    mount: str = ""


Item = Building | Strip | Tree | Post | Vehicle | Human


@dataclass(frozen=True)
class Ground:
    """Cross-section of one side of a block: widths in metres outward from the kerb."""

    pavement: float
    strip: float
    strip_is_grass: bool


@dataclass(frozen=True)
class Block:
    """All that does not move between ``k * BLOCK_M`` and the next block."""

    s: float
    crossing: bool
    left: Ground
    right: Ground
    items: tuple[Item, ...]
    patches: tuple[tuple[float, float, float, float, float], ...]  # s, d, length, width, gain
