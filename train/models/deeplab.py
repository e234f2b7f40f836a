"""DeepLabV3+ (Chen et al., "Encoder-Decoder with Atrous Separable Convolution", 2018).

An atrous spatial pyramid at stride 16, its output joined at stride 4 with the encoder's first maps.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import layers

from train.models.blocks import conv
from train.models.encoders import encode
from train.models.pooling import resized

Tensor = Any
RATES = (6, 12, 18)
FILTERS = 256


def deeplabv3plus(
    input_size: tuple[int, int],
    classes: int = 8,
    encoder: str = "resnet50",
    weights: str | None = None,
    separable: bool = False,
) -> keras.Model:
    """RGB ``(H, W, 3)`` in 0–255 → logits ``(H/4, W/4, classes)``; sides are multiples of 16.

    Args:
        input_size: width and height in px.
        classes: output channels.
        encoder: ``resnet50`` or ``mobilenetv2``.
        weights: the encoder's: None, ``imagenet`` or a file.
        separable: whether 3x3 convolutions are depthwise and 1x1.
    """
    features = encode(encoder, input_size, weights, output_stride=16)
    x = _atrous_pyramid(features.maps[32], separable)
    low = conv(features.maps[4], 48, 1)
    x = layers.Concatenate()([resized(x, low), low])
    for _ in range(2):
        x = _conv3(x, 1, separable)
    logits = layers.Conv2D(classes, 1, name="logits")(layers.Dropout(0.1)(x))
    return keras.Model(features.image, logits, name=f"deeplabv3plus_{encoder}")


def _atrous_pyramid(x: Tensor, separable: bool) -> Tensor:
    """The same map seen 1x1, 3x3 at three rates, and as its mean."""
    mean = conv(layers.GlobalAveragePooling2D(keepdims=True)(x), FILTERS, 1)
    branches = [conv(x, FILTERS, 1), *(_conv3(x, rate, separable) for rate in RATES)]
    x = conv(layers.Concatenate()([*branches, resized(mean, x)]), FILTERS, 1)
    return layers.Dropout(0.1)(x)


def _conv3(x: Tensor, rate: int, separable: bool) -> Tensor:
    convolution = layers.DepthwiseConv2D if separable else layers.Conv2D
    widths = () if separable else (FILTERS,)
    x = convolution(*widths, 3, padding="same", dilation_rate=rate, use_bias=False)(x)
    x = layers.ReLU(6.0)(layers.BatchNormalization(momentum=0.97)(x))
    return conv(x, FILTERS, 1) if separable else x
