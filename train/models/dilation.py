"""Atrous encoders: strides traded for dilation (Chen et al., "DeepLab", 2018)."""

from __future__ import annotations

from typing import Any

import keras
from keras import layers

Edits = dict[str, "dict[str, Any] | None"]


def dilation_edits(model: keras.Model, output_stride: int) -> Edits:
    """What to change in which layer so that no map is coarser than ``output_stride``.

    Strides beyond it become 1, and every wider kernel behind them looks as far as it did. No weight
    changes its shape.

    Returns:
        layer name → changed entries of its configuration; None: the layer goes (a padding that
        belonged to a stride).
    """
    strides = {id(model.inputs[0]): 1}  # of each tensor, before any change
    edits: Edits = {}
    for layer in model.operations:  # layers, and sums and products written as such
        if isinstance(layer, layers.InputLayer):
            continue
        first = layer.input[0] if isinstance(layer.input, (list, tuple)) else layer.input
        stride = strides[id(first)]
        step = _step(layer)
        strides[id(layer.output)] = stride * step
        if stride < output_stride:
            continue
        if isinstance(layer, layers.ZeroPadding2D):
            edits[layer.name] = None
        elif isinstance(layer, (layers.Conv2D, layers.DepthwiseConv2D)):
            rate = stride // output_stride if max(layer.kernel_size) > 1 else 1
            if step > 1 or rate > 1:
                edits[layer.name] = {"strides": 1, "dilation_rate": rate, "padding": "same"}
        elif step > 1:
            edits[layer.name] = {"strides": 1, "padding": "same"}
    return edits


def _step(layer: keras.layers.Layer) -> int:
    strides = getattr(layer, "strides", 1)
    return int(strides if isinstance(strides, int) else strides[0])
