"""The cost of a network: its multiply-accumulates for one image."""

from __future__ import annotations

import keras


def count_macs(model: keras.Model) -> int:
    """Multiply-accumulates of convolutions, dense layers and attention for one image."""
    return sum(_layer_macs(layer) for layer in model.layers)


def _layer_macs(layer: keras.layers.Layer) -> int:
    if hasattr(layer, "count_macs"):
        return int(layer.count_macs())
    kernel = getattr(layer, "kernel", None)
    if kernel is None:
        return 0
    weights = 1
    for side in kernel.shape:
        weights *= side
    if isinstance(layer, keras.layers.Conv2DTranspose):
        _, height, width, _ = layer.input.shape
        return int(height * width * weights)
    # Every weight, grouped and depthwise ones too, is used once at each place of the output.
    places = 1
    for side in layer.output.shape[1:-1]:
        places *= side
    return int(places * weights)
