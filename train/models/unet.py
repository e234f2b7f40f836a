"""U-Net (Ronneberger et al., "U-Net", 2015), small and over encoders of keras.applications.

The decoder over an encoder has the widths that became customary for it (256 to 16), each level
bilinear upsampling, concatenation with the encoder's map and two 3x3 convolutions. Bilinear where
others repeat pixels: XNNPACK keeps it in its partition. Logits come at full resolution.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import layers

from train.models.blocks import conv
from train.models.encoders import encode

Tensor = Any
DECODER = (256, 128, 64, 32, 16)  # channels at strides 16, 8, 4, 2, 1


def unet_mini(input_size: tuple[int, int], classes: int = 8) -> keras.Model:
    """RGB ``(H, W, 3)`` in 0–255 → logits ``(H, W, classes)``; sides are multiples of 4."""
    width, height = input_size
    image = layers.Input((height, width, 3), name="image")
    full = _double(layers.Rescaling(1 / 127.5, -1.0)(image), 32)
    half = _double(layers.MaxPooling2D()(full), 64)
    x = _double(layers.MaxPooling2D()(half), 128)
    x = _double(_up(x, half), 64)
    x = _double(_up(x, full), 32)
    logits = layers.Conv2D(classes, 1, name="logits")(x)
    return keras.Model(image, logits, name="unet_mini")


def unet(
    input_size: tuple[int, int],
    classes: int = 8,
    encoder: str = "vgg16",
    weights: str | None = None,
) -> keras.Model:
    """RGB ``(H, W, 3)`` in 0–255 → logits ``(H, W, classes)``; sides are multiples of 32.

    Args:
        input_size: width and height in px.
        classes: output channels.
        encoder: ``vgg16``, ``resnet50`` or ``efficientnetb3``.
        weights: the encoder's: None, ``imagenet`` or a file.
    """
    features = encode(encoder, input_size, weights)
    x = features.maps[32]
    if encoder == "vgg16":  # ends in a pooling: its own bottom is missing
        x = _double(x, 512)
    for stride, filters in zip((16, 8, 4, 2, 1), DECODER, strict=True):
        x = _double(_up(x, features.maps.get(stride)), filters)
    logits = layers.Conv2D(classes, 3, padding="same", name="logits")(x)
    return keras.Model(features.image, logits, name=f"unet_{encoder}")


def _double(x: Tensor, filters: int) -> Tensor:
    return conv(conv(x, filters), filters)


def _up(x: Tensor, skip: Tensor | None) -> Tensor:
    x = layers.UpSampling2D(2, interpolation="bilinear")(x)
    return x if skip is None else layers.Concatenate()([x, skip])
