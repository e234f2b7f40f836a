"""Fast-SCNN (Poudel et al., "Fast-SCNN: Fast Semantic Segmentation Network", 2019).

A shared stem down to stride 8 ("learning to downsample"), a deep branch at stride 32 with pyramid
pooling, and their sum at stride 8. ReLU6 instead of ReLU bounds the activations for INT8.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import layers

from train.models.blocks import conv, inverted_residual
from train.models.pooling import pyramid_pooling

Tensor = Any


def fast_scnn(input_size: tuple[int, int], classes: int = 8) -> keras.Model:
    """RGB ``(H, W, 3)`` in 0–255 → logits ``(H/8, W/8, classes)``; sides are multiples of 32."""
    width, height = input_size
    image = layers.Input((height, width, 3), name="image")
    x = conv(layers.Rescaling(1 / 127.5, -1.0)(image), 32, stride=2)
    x = _separable(x, 48, stride=2)
    stride8 = x = _separable(x, 64, stride=2)

    for filters, stride in ((64, 2), (96, 2), (128, 1)):
        x = inverted_residual(x, filters, 6, stride)
        for _ in range(2):
            x = inverted_residual(x, filters, 6)
    x = conv(pyramid_pooling(x, 32), 128, 1)

    x = layers.UpSampling2D(4, interpolation="bilinear")(x)
    x = layers.DepthwiseConv2D(3, dilation_rate=4, padding="same", use_bias=False)(x)
    x = layers.ReLU(6.0)(layers.BatchNormalization(momentum=0.97)(x))
    deep = conv(x, 128, 1, relu=False)
    x = layers.ReLU(6.0)(layers.Add()([deep, conv(stride8, 128, 1, relu=False)]))

    x = _separable(_separable(x, 128), 128)
    logits = layers.Conv2D(classes, 1, name="logits")(layers.Dropout(0.1)(x))
    return keras.Model(image, logits, name="fast_scnn")


def _separable(x: Tensor, filters: int, stride: int = 1) -> Tensor:
    x = layers.DepthwiseConv2D(3, stride, padding="same", use_bias=False)(x)
    x = layers.ReLU(6.0)(layers.BatchNormalization(momentum=0.97)(x))
    return conv(x, filters, 1)
