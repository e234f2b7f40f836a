"""Pictures that show nothing, in whole or in a part, of which no class is likelier than another.

A network that only ever saw roads answers noise or a covered lens as surely as a road. Shown them
with an even target it learns to be unsure of what it does not know (outlier exposure, Hendrycks et
al., 2019): that is what its confidence is asked for.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

U8 = npt.NDArray[np.uint8]
F32 = npt.NDArray[np.float32]
Random = np.random.Generator
_WHOLE = 0.5  # of the pictures: nothing is seen anywhere


def spoil(image: U8, seed: int) -> tuple[U8, npt.NDArray[np.bool_]]:
    """``(H, W, 3) uint8`` → the same spoilt, and ``(H, W)``: where nothing is to be seen.

    What is done depends on ``seed`` alone.
    """
    rng = np.random.default_rng(seed)
    kind = _KINDS[rng.integers(len(_KINDS))]
    nothing, shape = kind(image, rng), image.shape[:2]
    # A patch without detail may be a piece of road.
    whole = kind is _blurred or rng.random() < _WHOLE
    hidden = np.ones(shape, bool) if whole else _patch(shape, rng)
    spoilt = np.clip(np.rint(nothing), 0, 255).astype(np.uint8)
    return np.where(hidden[..., None], spoilt, image), hidden


def _noise(image: U8, rng: Random) -> F32:
    """Grey or coloured, as fine as the pixels or coarser, up to what fills the whole range."""
    planes = 1 if rng.random() < 0.5 else 3
    level = rng.uniform(0, 255, 3 if rng.random() < 0.5 else 1)
    return np.asarray(level + _grain(image, rng, planes, rng.uniform(3, 120)), np.float32)


def _covered(image: U8, rng: Random) -> F32:
    """A cap, a hand or mud: one smooth tone, with the noise of a sensor that sees too little."""
    height, width = image.shape[:2]
    tone = cv2.resize(_uniform(rng, (3, 4, 3)), (width, height), interpolation=cv2.INTER_CUBIC)
    grey = np.full(3, rng.uniform(0, 255)) if rng.random() < 0.5 else rng.uniform(0, 255, 3)
    dark = rng.uniform(0.0, 0.15) if rng.random() < 0.5 else 1.0
    depth = rng.uniform(0, 0.5)
    surface = dark * grey * (1 + depth * tone)
    planes = 1 if rng.random() < 0.5 else 3
    return np.asarray(surface + _grain(image, rng, planes, rng.uniform(0, 20)), np.float32)


def _disorder(image: U8, rng: Random) -> F32:
    """The picture's own rows, columns or small squares in any order."""
    kind = rng.integers(3)
    if kind < 2:
        order = rng.permutation(image.shape[kind])
        return np.asarray(np.take(image, order, axis=kind), np.float32)
    height, width = image.shape[:2]
    side = int(rng.integers(4, 24))
    down, across = height // side, width // side
    mixed = image.astype(np.float32)
    places = rng.permutation(down * across)
    tiles = mixed[: down * side, : across * side].reshape(down, side, across, side, 3)
    tiles = tiles.transpose(0, 2, 1, 3, 4).reshape(down * across, side, side, 3)[places]
    tiles = tiles.reshape(down, across, side, side, 3).transpose(0, 2, 1, 3, 4)
    mixed[: down * side, : across * side] = tiles.reshape(down * side, across * side, 3)
    return mixed


def _blurred(image: U8, rng: Random) -> F32:
    """So far out of focus that colours alone are left, in no place of their own."""
    height, width = image.shape[:2]
    turned = np.roll(image[::-1], int(rng.integers(width)), axis=1)
    small = cv2.resize(turned, (32, 24), interpolation=cv2.INTER_AREA).astype(np.float32)
    soft = cv2.GaussianBlur(small, (0, 0), rng.uniform(4, 12))
    return np.asarray(cv2.resize(soft, (width, height), interpolation=cv2.INTER_CUBIC), np.float32)


def _bars(image: U8, rng: Random) -> F32:
    """A test picture, or a broken transfer: bars of one colour."""
    axis = int(rng.integers(2))
    count = int(rng.integers(2, 33))
    colours = rng.uniform(0, 255, (count, 3)).astype(np.float32)
    places = np.arange(image.shape[axis]) * count // image.shape[axis]
    line = colours[places]
    bars = line[:, None] if axis == 0 else line[None]
    return np.asarray(np.broadcast_to(bars, image.shape), np.float32)


_KINDS: tuple[Callable[[U8, Random], F32], ...] = (_noise, _covered, _disorder, _blurred, _bars)


def _grain(image: U8, rng: Random, planes: int, deviation: float) -> F32:
    """``(H, W, planes)``: noise about zero, its grains one pixel large or up to an eighth."""
    height, width = image.shape[:2]
    coarse = math.exp(rng.uniform(0, math.log(width / 8))) if rng.random() < 0.5 else 1.0
    size = (max(2, round(height / coarse)), max(2, round(width / coarse)))
    values: npt.NDArray[Any] = rng.standard_normal((*size, planes), np.float32)
    if coarse > 1:
        values = cv2.resize(values, (width, height), interpolation=cv2.INTER_CUBIC)
    values = values.reshape(height, width, planes) * deviation
    return np.asarray(values, np.float32)


def _patch(shape: tuple[int, ...], rng: Random) -> npt.NDArray[np.bool_]:
    """``(H, W)``: a rounded patch, a side, or drops, over a twentieth to two thirds."""
    height, width = shape
    kind = rng.integers(3)
    if kind == 0:
        radius = rng.uniform(0.15, 0.5) * min(shape)
        centre = rng.uniform(0, width), rng.uniform(0, height)
        return _disc(shape, centre, radius, rng.uniform(0.6, 1.6))
    if kind == 1:
        share, axis = rng.uniform(0.1, 0.6), int(rng.integers(2))
        line = np.arange(shape[axis]) < share * shape[axis]
        line = line[::-1] if rng.random() < 0.5 else line
        return np.array(np.broadcast_to(line[:, None] if axis == 0 else line[None], shape))
    hidden = np.zeros(shape, bool)
    for _ in range(rng.integers(2, 12)):
        centre = rng.uniform(0, width), rng.uniform(0, height)
        radius = rng.uniform(0.05, 0.15) * min(shape)
        hidden |= _disc(shape, centre, radius, rng.uniform(0.6, 1.6))
    return hidden


def _disc(
    shape: tuple[int, ...], centre: tuple[float, float], radius: float, longer: float
) -> npt.NDArray[np.bool_]:
    rows, columns = np.ogrid[: shape[0], : shape[1]]
    x, y = (columns - centre[0]) / longer, rows - centre[1]
    return np.asarray(x * x + y * y <= radius * radius)


def _uniform(rng: Random, shape: tuple[int, ...]) -> F32:
    return np.asarray(rng.uniform(-1, 1, shape), np.float32)
