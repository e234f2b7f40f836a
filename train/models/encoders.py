"""Encoders from keras.applications and EfficientNet-Lite, made to fit the daemon's input and INT8.

Every network here takes pixels through one scalar ``Rescaling`` to -1…1, which the conversion
turns into the input's quantisation. What else an encoder's ImageNet weights expect of their input
(mean and deviation by channel, BGR) is folded into its first convolution, so no operator is left of
it. The one difference: the padding at the border is mid-grey, not the ImageNet mean.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import applications, layers

from roadmask.errors import ConfigError, ModelError, first_line
from train.models import efficientnet_lite as lite
from train.models.dilation import Edits, dilation_edits

Tensor = Any
SCALING = "scaling"  # name of the leading Rescaling
# Keras's 0.99 and 0.999 average over more steps than a short training on a small set has.
BATCH_NORM_MOMENTUM = 0.97
_CAFFE_MEAN = (123.68, 116.779, 103.939)  # RGB, of pixels 0-255
_TORCH_MEAN, _TORCH_STD = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)


@dataclass(frozen=True)
class Encoder:
    """An encoder and where its feature maps are.

    Attributes:
        build: of keras.applications, or called as those are.
        taps: the layers whose outputs a decoder uses, by stride; empty: the output.
        first: name of the first convolution.
        first_norm: name of the batch norm behind it, where it has no bias.
        mean, std: RGB, what its ImageNet weights expect to be taken off pixels of 0–255.
        bgr: whether they expect BGR.
        scales: whether it begins with the Rescaling to -1…1 of its own.
        options: more arguments of ``build``.
    """

    build: Callable[..., keras.Model]
    taps: Mapping[int, str]
    first: str
    first_norm: str = ""
    mean: tuple[float, float, float] = (127.5, 127.5, 127.5)
    std: tuple[float, float, float] = (127.5, 127.5, 127.5)
    bgr: bool = False
    scales: bool = False
    options: tuple[tuple[str, Any], ...] = ()


def _lite(build: Callable[..., keras.Model], stride4: str, last: str) -> Encoder:
    """EfficientNet-Lite up to stage 6; ``last``: letters of the last blocks of stages 3, 5, 6."""
    stages = zip((8, 16, 32), (3, 5, 6), last, strict=True)
    taps = {stride: f"block{stage}{letter}_add" for stride, stage, letter in stages}
    return Encoder(
        build, {4: stride4} | taps, "stem_conv", first_norm="stem_bn", mean=lite.MEAN, std=lite.STD
    )


ENCODERS: dict[str, Encoder] = {
    "vgg16": Encoder(
        applications.VGG16,
        {
            1: "block1_conv2",
            2: "block2_conv2",
            4: "block3_conv3",
            8: "block4_conv3",
            16: "block5_conv3",
            32: "block5_pool",
        },
        "block1_conv1",
        mean=_CAFFE_MEAN,
        std=(1.0, 1.0, 1.0),
        bgr=True,
    ),
    "resnet50": Encoder(
        applications.ResNet50,
        {
            2: "conv1_relu",
            4: "conv2_block3_out",
            8: "conv3_block4_out",
            16: "conv4_block6_out",
            32: "conv5_block3_out",
        },
        "conv1_conv",
        mean=_CAFFE_MEAN,
        std=(1.0, 1.0, 1.0),
        bgr=True,
    ),
    "efficientnetb3": Encoder(
        applications.EfficientNetB3,
        {
            2: "block2a_expand_activation",
            4: "block3a_expand_activation",
            8: "block4a_expand_activation",
            16: "block6a_expand_activation",
            32: "top_activation",
        },
        "stem_conv",
        first_norm="stem_bn",
        mean=_TORCH_MEAN,
        std=_TORCH_STD,
    ),
    "mobilenetv2": Encoder(
        applications.MobileNetV2,
        {4: "block_2_add", 8: "block_5_add", 16: "block_12_add", 32: "block_16_project_BN"},
        "Conv1",
        first_norm="bn_Conv1",
    ),
    "mobilenetv3": Encoder(
        applications.MobileNetV3Large,
        {4: "expanded_conv_2_add", 8: "expanded_conv_5_add", 16: "expanded_conv_11_add", 32: ""},
        "conv",
        first_norm="conv_bn",
        scales=True,
    ),
    "mobilenetv3_minimalistic": Encoder(
        applications.MobileNetV3Large,
        {4: "expanded_conv_2_add", 8: "expanded_conv_5_add", 16: "expanded_conv_11_add", 32: ""},
        "conv",
        first_norm="conv_bn",
        scales=True,
        options=(("minimalistic", True),),
    ),
    "efficientnet_lite0": _lite(lite.efficientnet_lite0, "block2b_add", "bcd"),
    "efficientnet_lite1": _lite(lite.efficientnet_lite1, "block2c_add", "cde"),
    "efficientnet_lite2": _lite(lite.efficientnet_lite2, "block2c_add", "cde"),
    "efficientnet_lite0_fused": _lite(lite.efficientnet_lite0_fused, "fused_project_bn", "bcd"),
}


@dataclass(frozen=True)
class Features:
    """The graph of an encoder: its input, and its maps by the stride they have undilated."""

    image: Tensor
    maps: dict[int, Tensor]


def encode(
    name: str, input_size: tuple[int, int], weights: str | None = None, output_stride: int = 32
) -> Features:
    """Build an encoder over RGB ``(H, W, 3)`` in 0–255.

    Args:
        name: in ``ENCODERS``.
        input_size: width and height in px.
        weights: None, ``imagenet`` or an ``.h5`` file as keras.applications takes it.
        output_stride: of the deepest maps: 32, or 16 or 8 with dilated convolutions instead.

    Raises:
        ConfigError: ImageNet weights that cannot be fetched.
        ModelError: a weights file that does not fit.
    """
    encoder = ENCODERS[name]
    width, height = input_size
    image = layers.Input((height, width, 3), name="image")
    x = image if encoder.scales else layers.Rescaling(1 / 127.5, -1.0, name=SCALING)(image)
    model = _build(name, encoder, x, weights)
    edits = dilation_edits(model, output_stride)
    if not encoder.scales:
        edits |= {layer.name: None for layer in model.layers if _is_input_scaling(layer)}
    if edits:
        model = _edited(model, edits)
    for layer in model.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.momentum = BATCH_NORM_MOMENTUM
    if weights is not None:
        _fold_normalisation(model, encoder)
    maps = {
        stride: model.get_layer(tap).output if tap else model.outputs[0]
        for stride, tap in encoder.taps.items()
    }
    return Features(model.inputs[0], maps)


def _build(name: str, encoder: Encoder, x: Tensor, weights: str | None) -> keras.Model:
    if weights not in (None, "imagenet") and not Path(weights).is_file():
        raise ModelError(
            f"weights {weights} are missing: give the file of {name} (.h5 without top, or .pth)"
        )
    try:
        return encoder.build(
            include_top=False, weights=weights, input_tensor=x, **dict(encoder.options)
        )
    except (ConfigError, ModelError):  # ours, with its own advice
        raise
    except (
        Exception
    ) as error:  # Keras: Exception itself where a download fails, ValueError, OSError
        detail = first_line(error)
        if weights == "imagenet":
            raise ConfigError(
                f"the ImageNet weights of {name} cannot be fetched ({detail}): give the file's "
                "path as weights, put it into ~/.keras/models, or start without weights"
            ) from error
        raise ModelError(f"weights {weights} do not fit {name} without top: {detail}") from error


def _is_input_scaling(layer: keras.layers.Layer) -> bool:
    kinds = (layers.Rescaling, layers.Normalization)
    return isinstance(layer, kinds) and layer.name != SCALING


def _edited(model: keras.Model, edits: Edits) -> keras.Model:
    """The same network with the same weights, some layers changed and some gone."""

    def copy(layer: keras.layers.Layer) -> keras.layers.Layer:
        changes = edits.get(layer.name, {})
        if changes is None:
            return layers.Identity(name=layer.name)
        return layer.__class__.from_config({**layer.get_config(), **changes})

    clone = keras.models.clone_model(model, clone_function=copy)
    for layer in clone.layers:
        if layer.weights:
            layer.set_weights(model.get_layer(layer.name).get_weights())
    return clone


def _fold_normalisation(model: keras.Model, encoder: Encoder) -> None:
    """Let the first convolution see -1…1 RGB as it saw the normalised picture.

    With pixel = 127.5 (x + 1), (pixel - mean) / std = x · 127.5 / std + (127.5 - mean) / std.
    """
    convolution = model.get_layer(encoder.first)
    kernel, *bias = convolution.get_weights()  # (h, w, in, out)
    if encoder.bgr:
        kernel = kernel[:, :, ::-1]
    std = np.asarray(encoder.std, kernel.dtype)
    shift = (127.5 - np.asarray(encoder.mean, kernel.dtype)) / std
    constant = np.einsum("hwio,i->o", kernel, shift)
    kernel = kernel * (127.5 / std)[None, None, :, None]
    if bias:
        convolution.set_weights([kernel, bias[0] + constant])
        return
    convolution.set_weights([kernel])
    norm = model.get_layer(encoder.first_norm)
    norm.moving_mean.assign(norm.moving_mean - constant)
