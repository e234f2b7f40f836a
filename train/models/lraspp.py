"""Lite R-ASPP (Howard et al., "Searching for MobileNetV3", 2019): a gate and two classifiers.

The gate averages over the whole map, as torchvision's implementation does, where the paper pools a
49x49 window.
"""

from __future__ import annotations

import keras
from keras import layers

from train.models.blocks import conv
from train.models.encoders import encode
from train.models.pooling import resized


def lraspp(
    input_size: tuple[int, int],
    classes: int = 8,
    encoder: str = "mobilenetv3",
    weights: str | None = None,
) -> keras.Model:
    """RGB ``(H, W, 3)`` in 0–255 → logits ``(H/8, W/8, classes)``; sides are multiples of 16."""
    features = encode(encoder, input_size, weights, output_stride=16)
    low, high = features.maps[8], features.maps[32]
    gate = layers.GlobalAveragePooling2D(keepdims=True)(high)
    gate = layers.Conv2D(128, 1, use_bias=False, activation="sigmoid")(gate)
    x = resized(layers.Multiply()([conv(high, 128, 1), gate]), low)
    # Both maps have a classifier of their own; the logits are the sum.
    deep = layers.Conv2D(classes, 1, name="logits_high")(x)
    shallow = layers.Conv2D(classes, 1, name="logits_low")(low)
    logits = layers.Add(name="logits")([deep, shallow])
    return keras.Model(features.image, logits, name=f"lraspp_{encoder}")
