"""A Keras network of another form, brought to pictures of fixed size and a map of classes.

What is done keeps every value: the same weights, laid out otherwise. What cannot be kept is
refused.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from roadmask.errors import ModelError

KerasModel = Any
# Layers that mean the same in either layout, once their settings are turned.
_AXIS_LAYERS = ("BatchNormalization", "Concatenate", "Softmax", "LayerNormalization")
_TURNED = {
    *_AXIS_LAYERS,
    "InputLayer", "Conv2D", "DepthwiseConv2D", "SeparableConv2D", "Conv2DTranspose", "MaxPooling2D",
    "AveragePooling2D", "UpSampling2D", "ZeroPadding2D", "Cropping2D", "GlobalAveragePooling2D",
    "Activation", "ReLU", "LeakyReLU", "Add", "Multiply", "Subtract", "Average", "Maximum",
    "Dropout", "SpatialDropout2D", "Rescaling", "Identity",
}  # fmt: skip


def fit_form(
    model: KerasModel, size: tuple[int, int] | None, path: Path | str = "model"
) -> tuple[KerasModel, list[str]]:
    """The network with pictures ``(H, W, 3)`` in and ``(h, w, classes)`` out.

    Args:
        model: as it was loaded.
        size: width and height in px for an input without a fixed size.
        path: for messages.

    Returns:
        The network, and what was changed, a phrase each.

    Raises:
        ModelError: it cannot be brought to that form, or needs a size.
    """
    changes = []
    if not getattr(model, "inputs", None):
        model = _called(model, size, path)
        changes.append("called with one picture")
    shape = _input_shape(model)
    if shape is not None and None in shape[1:]:
        model = _sized(model, shape, size, path)
        changes.append("given a fixed size")
        shape = _input_shape(model)
    if shape is not None and shape[1] == 3 != shape[3]:
        model = _channels_last(model, path)
        changes.append("turned to channels last")
    flat = _flat_size(model)
    if flat is not None:
        import keras

        height, width, classes = flat
        made = keras.layers.Reshape(flat, name="map_of_classes")(model.outputs[0])
        name = model.name
        model = keras.Model(model.inputs, made)
        model.name = name
        changes.append(f"its flat output laid out as {width}x{height}x{classes}")
    return model, changes


def _input_shape(model: KerasModel) -> tuple[int | None, ...] | None:
    if len(model.inputs) != 1 or len(model.inputs[0].shape) != 4:
        return None
    return tuple(model.inputs[0].shape)


def _need_size(size: tuple[int, int] | None, path: Path | str) -> tuple[int, int]:
    if size is None:
        raise ModelError(
            f"model {path} takes pictures of any size, expected a fixed size: give it with "
            "--size, e.g. --size 480x352"
        )
    return size


def _called(model: KerasModel, size: tuple[int, int] | None, path: Path | str) -> KerasModel:
    """A subclassed model has no layers in order, but can be called."""
    import keras

    width, height = _need_size(size, path)
    given = keras.Input((height, width, 3))
    try:
        made = model(given)
    except Exception as error:
        raise ModelError(
            f"model {path} is a subclassed model that a picture of {width}x{height}x3 does not "
            "fit; save it as keras.Model(inputs, outputs)"
        ) from error
    whole = keras.Model(given, made)
    whole.name = model.name
    return whole


def _sized(
    model: KerasModel, shape: tuple[int | None, ...], size: tuple[int, int] | None, path: Path | str
) -> KerasModel:
    import keras

    width, height = _need_size(size, path)
    first = shape[1] == 3 and shape[3] != 3
    given = keras.Input((3, height, width) if first else (height, width, 3))
    try:
        other = keras.models.clone_model(model, input_tensors=given)
        other.set_weights(model.get_weights())
    except Exception as error:
        raise ModelError(
            f"model {path} cannot be built for {width}x{height}: give a size that its strides "
            "divide, or save it with one"
        ) from error
    other.name = model.name
    return other


def _channels_last(model: KerasModel, path: Path | str) -> KerasModel:
    import keras

    odd = sorted({type(each).__name__ for each in model.layers} - _TURNED)
    if odd:
        raise ModelError(
            f"model {path} takes channels first, and {', '.join(odd)} cannot be turned to channels "
            "last: build it with keras.config.set_image_data_format('channels_last')"
        )

    def turned(layer: Any) -> Any:
        settings = layer.get_config()
        if settings.get("data_format") == "channels_first":
            settings["data_format"] = "channels_last"
        if type(layer).__name__ in _AXIS_LAYERS:
            settings["axis"] = _turned_axis(settings["axis"], path)
        return layer.__class__.from_config(settings)

    _, channels, height, width = model.inputs[0].shape
    given = keras.Input((height, width, channels))
    other = keras.models.clone_model(model, input_tensors=given, clone_function=turned)
    other.set_weights(model.get_weights())
    other.name = model.name
    return other


def _turned_axis(axis: Any, path: Path | str) -> Any:
    if isinstance(axis, (list, tuple)):
        return [_turned_axis(each, path) for each in axis]
    turned = {1: 3, -3: 3, 2: 1, -2: 1, 3: 2, -1: 2, 0: 0}
    return turned[int(axis)]


def _flat_size(model: KerasModel) -> tuple[int, int, int] | None:
    """Height, width and classes of ``(None, h * w, classes)``, where they follow from the input."""
    shape = _input_shape(model)
    if shape is None or len(model.outputs) != 1 or len(model.outputs[0].shape) != 3:
        return None
    _, height, width, _ = shape
    _, pixels, classes = model.outputs[0].shape
    if None in (height, width, pixels, classes) or not height or not width or not pixels:
        return None
    return laid_out(height, width, pixels, int(classes))


def laid_out(height: int, width: int, pixels: int, classes: int) -> tuple[int, int, int] | None:
    """The map that so many pixels are of a picture of that size; None where there is none."""
    stride = math.isqrt(height * width // pixels) if pixels <= height * width else 0
    if stride < 1 or height % stride or width % stride:
        return None
    if (height // stride) * (width // stride) != pixels:
        return None
    return height // stride, width // stride, classes
