"""roadlite: the edge family, EfficientNet-Lite under roadnet's decoder, at three input sizes.

The encoder ends at stage 6: the last one holds a quarter of the parameters and brings little here.
Decoder: bilinear upsampling, a 1x1 lateral added (Lin et al., "Feature Pyramid Networks", 2017),
one 3x3 a level. One network, whose weights serve every size; ``SIZES`` are those that ship.
"""

from __future__ import annotations

import keras
from keras import layers

from train.models.blocks import conv
from train.models.encoders import encode

SIZES = {"s": (288, 224), "m": (384, 256), "l": (512, 384)}  # width, height in px


def roadlite(
    input_size: tuple[int, int] = SIZES["s"],
    classes: int = 8,
    encoder: str = "efficientnet_lite0_fused",
    weights: str | None = None,
    decoder: tuple[int, int, int] = (64, 48, 32),
) -> keras.Model:
    """RGB ``(H, W, 3)`` in 0–255 → logits ``(H/4, W/4, classes)``.

    Args:
        input_size: width and height in px, multiples of 32.
        classes: output channels; for the 8 categories, channel 0 (void) is never trained.
        encoder: of ``train.models.encoders``.
        weights: the encoder's: None, ``imagenet`` or a file.
        decoder: channels at strides 16, 8, 4.
    """
    features = encode(encoder, input_size, weights)
    x = features.maps[32]
    for stride, filters in zip((16, 8, 4), decoder, strict=True):
        lateral = conv(features.maps[stride], filters, 1, relu=False)
        x = layers.UpSampling2D(2, interpolation="bilinear")(conv(x, filters, 1))
        x = conv(layers.ReLU(6.0)(layers.Add()([x, lateral])), filters)
    logits = layers.Conv2D(classes, 1, name="logits")(x)
    return keras.Model(features.image, logits, name="roadlite")
