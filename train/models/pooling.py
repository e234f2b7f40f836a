"""Pyramid pooling (Zhao et al., "Pyramid Scene Parsing Network", 2017), and resizing."""

from __future__ import annotations

from typing import Any

from keras import layers

from train.models.blocks import conv

Tensor = Any
BINS = (1, 2, 3, 6)


def pyramid_pooling(x: Tensor, filters: int) -> Tensor:
    """``(h, w, C)`` → ``(h, w, C + 4 filters)``: averages over grids of 1, 2, 3, 6 bins a side."""
    levels = [resized(conv(grid_pool(x, bins), filters, 1), x) for bins in BINS]
    return layers.Concatenate()([x, *levels])


def resized(x: Tensor, like: Tensor) -> Tensor:
    """``x`` at the height and width of ``like``, bilinear."""
    _, height, width, _ = like.shape
    return layers.Resizing(height, width, interpolation="bilinear")(x)


def grid_pool(x: Tensor, bins: int) -> Tensor:
    """``(h, w, C)`` → averages ``(bins, bins, C)``; a side shorter than that stays as it is.

    All windows are of one size: where ``bins`` does not divide the side they overlap a little.
    """
    if bins == 1:
        return layers.GlobalAveragePooling2D(keepdims=True)(x)
    _, height, width, _ = x.shape
    steps = [max(1, side // bins) for side in (height, width)]
    windows = [
        side - (min(bins, side) - 1) * step
        for side, step in zip((height, width), steps, strict=True)
    ]
    return layers.AveragePooling2D(windows, steps)(x)
