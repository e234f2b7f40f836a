"""roadnet: our edge family, a U-shaped network of plain and inverted residual blocks.

Encoder: strides 2 to 8 in dense 3x3 convolutions, strides 16 and 32 in inverted residuals
(Sandler et al., "MobileNetV2", 2018), which buy depth where the maps are small. Decoder: bilinear
upsampling, a 1x1 lateral added (Lin et al., "Feature Pyramid Networks", 2017), one 3x3 a level.
Only operators that XNNPACK keeps in one partition; ReLU6 bounds every activation for INT8.
"""

from __future__ import annotations

import keras
from keras import layers

from train.models.blocks import conv, inverted_residual, residual


def roadnet(
    input_size: tuple[int, int] = (480, 352),
    classes: int = 8,
    encoder: tuple[int, int, int, int, int] = (16, 24, 48, 96, 152),
    decoder: tuple[int, int, int] = (48, 32, 24),
    depth: tuple[int, int] = (3, 3),
    expansion: int = 3,
) -> keras.Model:
    """RGB ``(H, W, 3)`` in 0–255 → logits ``(H/4, W/4, classes)``.

    Args:
        input_size: width and height in px, multiples of 32.
        classes: output channels; for the 8 categories, channel 0 (void) is never trained.
        encoder: channels at strides 2, 4, 8, 16, 32.
        decoder: channels at strides 16, 8, 4.
        depth: inverted residuals at strides 16 and 32.
        expansion: their expansion factor.
    """
    width, height = input_size
    image = layers.Input((height, width, 3), name="image")
    x = layers.Rescaling(1 / 127.5, -1.0)(image)
    x = conv(x, encoder[0], stride=2)
    stride4 = residual(conv(x, encoder[1], stride=2), convolutions=1)
    stride8 = residual(conv(stride4, encoder[2], stride=2))
    x = conv(stride8, encoder[3], stride=2)
    for _ in range(depth[0]):
        x = inverted_residual(x, encoder[3], expansion)
    stride16 = x
    x = inverted_residual(x, encoder[4], expansion, stride=2)
    for _ in range(depth[1]):
        x = inverted_residual(x, encoder[4], expansion)

    for skip, filters in zip((stride16, stride8, stride4), decoder, strict=True):
        x = conv(x, filters, 1)
        x = layers.UpSampling2D(2, interpolation="bilinear")(x)
        x = layers.ReLU(6.0)(layers.Add()([x, conv(skip, filters, 1, relu=False)]))
        x = conv(x, filters)
    logits = layers.Conv2D(classes, 1, name="logits")(x)
    return keras.Model(image, logits, name="roadnet")
