"""PSPNet (Zhao et al., "Pyramid Scene Parsing Network", 2017): averages over grids of four sizes.

Over ResNet-50 dilated to stride 8. The auxiliary loss of the paper's training is not part of it.
"""

from __future__ import annotations

import keras
from keras import layers

from train.models.blocks import conv
from train.models.encoders import encode
from train.models.pooling import pyramid_pooling


def pspnet(
    input_size: tuple[int, int], classes: int = 8, weights: str | None = None
) -> keras.Model:
    """RGB ``(H, W, 3)`` in 0–255 → logits ``(H/8, W/8, classes)``; sides are multiples of 8."""
    features = encode("resnet50", input_size, weights, output_stride=8)
    x = conv(pyramid_pooling(features.maps[32], 512), 512)
    logits = layers.Conv2D(classes, 1, name="logits")(layers.Dropout(0.1)(x))
    return keras.Model(features.image, logits, name="pspnet")
