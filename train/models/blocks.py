"""Building blocks that survive full-INT8 quantisation: convolution + batch norm + ReLU6."""

from __future__ import annotations

from typing import Any

from keras import layers

Tensor = Any


def conv(x: Tensor, filters: int, kernel: int = 3, stride: int = 1, relu: bool = True) -> Tensor:
    """Convolution, batch norm and, unless told otherwise, ReLU6."""
    x = layers.Conv2D(filters, kernel, stride, padding="same", use_bias=False)(x)
    x = layers.BatchNormalization(momentum=0.97)(x)
    return layers.ReLU(6.0)(x) if relu else x


def residual(x: Tensor, convolutions: int = 2) -> Tensor:
    """Plain residual block of 3x3 convolutions at the width of ``x``.

    Dense convolutions use a vector unit far better than depthwise ones do, so at high resolution
    they cost less time a MAC, in training and in XNNPACK alike.
    """
    y = x
    for i in range(convolutions):
        y = conv(y, x.shape[-1], relu=i < convolutions - 1)
    return layers.ReLU(6.0)(layers.Add()([x, y]))


def inverted_residual(x: Tensor, filters: int, expansion: int, stride: int = 1) -> Tensor:
    """MobileNetV2's block (Sandler et al., 2018): expand 1x1, depthwise 3x3, project 1x1."""
    y = conv(x, x.shape[-1] * expansion, 1)
    y = layers.DepthwiseConv2D(3, stride, padding="same", use_bias=False)(y)
    y = layers.BatchNormalization(momentum=0.97)(y)
    y = conv(layers.ReLU(6.0)(y), filters, 1, relu=False)
    if stride == 1 and x.shape[-1] == filters:
        return layers.Add()([x, y])
    return y
