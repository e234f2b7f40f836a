"""The model zoo: a table from name to builder; one architecture a file."""

from __future__ import annotations

import difflib
from collections.abc import Callable

import keras

from roadmask.errors import ConfigError
from train.models.roadnet import roadnet

MODELS: dict[str, Callable[..., keras.Model]] = {"roadnet": roadnet}


def build_model(name: str, input_size: tuple[int, int], classes: int = 8) -> keras.Model:
    """Build a network of the zoo with random weights.

    Raises:
        ConfigError: unknown name, or a size that its stride does not divide.
    """
    if name not in MODELS:
        near = difflib.get_close_matches(name, MODELS, 1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise ConfigError(f"model {name!r} is unknown: give one of {', '.join(MODELS)}{hint}")
    width, height = input_size
    if width % 32 or height % 32 or min(input_size) < 32:
        raise ConfigError(f"input size {width}x{height}: give multiples of 32, such as 480x352")
    return MODELS[name](input_size, classes)


def count_macs(model: keras.Model) -> int:
    """Multiply-accumulates of the convolutions for one image."""
    total = 0
    for layer in model.layers:
        kernel = getattr(layer, "kernel", None)
        if kernel is None or len(kernel.shape) != 4:
            continue
        _, height, width, channels = layer.output.shape
        window = kernel.shape[0] * kernel.shape[1]
        # A depthwise kernel is (h, w, in, multiplier), a dense one (h, w, in, out).
        depthwise = isinstance(layer, keras.layers.DepthwiseConv2D)
        total += height * width * channels * window * (1 if depthwise else kernel.shape[2])
    return total
