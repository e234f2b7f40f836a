"""SegFormer (Xie et al., "SegFormer: Simple and Efficient Design for Semantic Segmentation with
Transformers", 2021): a hierarchical transformer without position codes and an all-MLP decoder.

Tokens stay on their grid ``(h, w, C)``: what the paper calls linear is a 1x1 convolution here, the
same sums by an operator that XNNPACK runs, and the convolutions need no reshaping back and forth.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import keras
from keras import layers, ops

from train.models.blocks import conv

Tensor = Any


@dataclass(frozen=True)
class Variant:
    """What tells B0 … B5 apart: encoder widths and depths by stage, and the decoder's width."""

    widths: tuple[int, int, int, int]
    depths: tuple[int, int, int, int]
    decoder: int


_WIDE = (64, 128, 320, 512)
VARIANTS = {
    "b0": Variant((32, 64, 160, 256), (2, 2, 2, 2), 256),
    "b1": Variant(_WIDE, (2, 2, 2, 2), 256),
    "b2": Variant(_WIDE, (3, 4, 6, 3), 768),
    "b3": Variant(_WIDE, (3, 4, 18, 3), 768),
    "b4": Variant(_WIDE, (3, 8, 27, 3), 768),
    "b5": Variant(_WIDE, (3, 6, 40, 3), 768),
}
HEADS = (1, 2, 5, 8)
REDUCTIONS = (8, 4, 2, 1)  # of the side of keys and values, by stage
EXPANSION = 4  # of the Mix-FFN
DROP_PATH = 0.1  # in the last block; it grows linearly from 0


def segformer(input_size: tuple[int, int], classes: int = 8, variant: str = "b0") -> keras.Model:
    """RGB ``(H, W, 3)`` in 0–255 → logits ``(H/4, W/4, classes)``; sides are multiples of 32."""
    form = VARIANTS[variant]
    width, height = input_size
    image = layers.Input((height, width, 3), name="image")
    x = layers.Rescaling(1 / 127.5, -1.0)(image)
    total, place = sum(form.depths), 0
    stages = []
    for stage, (filters, depth) in enumerate(zip(form.widths, form.depths, strict=True)):
        kernel, stride = (7, 4) if stage == 0 else (3, 2)
        # Patches overlap: the kernel is wider than its stride.
        x = _norm(layers.Conv2D(filters, kernel, stride, padding="same")(x))
        for _ in range(depth):
            drop = DROP_PATH * place / (total - 1)
            x = _add(x, _attention(_norm(x), HEADS[stage], REDUCTIONS[stage]), drop)
            x = _add(x, _mix_ffn(_norm(x)), drop)
            place += 1
        x = _norm(x)
        stages.append(x)

    maps = []
    for stage, x in enumerate(stages):
        x = layers.Conv2D(form.decoder, 1)(x)
        maps.append(layers.UpSampling2D(2**stage, interpolation="bilinear")(x) if stage else x)
    x = conv(layers.Concatenate()(maps[::-1]), form.decoder, 1)
    logits = layers.Conv2D(classes, 1, name="logits")(layers.Dropout(0.1)(x))
    return keras.Model(image, logits, name=f"segformer_{variant}")


def _norm(x: Tensor) -> Tensor:
    return CenteredLayerNorm(epsilon=1e-6)(x)


def _add(x: Tensor, branch: Tensor, drop: float) -> Tensor:
    """Residual sum; in training, whole branches are dropped (Huang et al., 2016)."""
    if drop:
        branch = layers.Dropout(drop, noise_shape=(None, 1, 1, 1))(branch)
    return layers.Add()([x, branch])


def _attention(x: Tensor, heads: int, reduction: int) -> Tensor:
    """Efficient self-attention: keys and values come from a map whose side is 1/``reduction``."""
    filters = x.shape[-1]
    query = layers.Conv2D(filters, 1)(x)
    if reduction > 1:
        x = _norm(layers.Conv2D(filters, reduction, reduction)(x))
    key, value = layers.Conv2D(filters, 1)(x), layers.Conv2D(filters, 1)(x)
    return layers.Conv2D(filters, 1)(ScaledDotProduct(heads)([query, key, value]))


def _mix_ffn(x: Tensor) -> Tensor:
    """Feed-forward net whose 3x3 depthwise convolution tells where a token is."""
    filters = x.shape[-1]
    x = layers.Conv2D(filters * EXPANSION, 1)(x)
    x = layers.DepthwiseConv2D(3, padding="same")(x)
    return layers.Conv2D(filters, 1)(layers.Activation("gelu")(x))


@keras.saving.register_keras_serializable("roadmask")
class CenteredLayerNorm(layers.LayerNormalization):  # type: ignore[misc]
    """Layer norm (Ba et al., 2016) over the channels, computed as the paper writes it.

    Keras multiplies out and subtracts ``mean * inverse``: that negation has no INT8 form in
    TensorFlow Lite, and both of its terms are larger than their difference, which costs INT8 bits.
    A product with itself stays in XNNPACK's partition, a square does not; the inverse root cannot.
    """

    def call(self, inputs: Tensor) -> Tensor:
        """``(x - mean) / sqrt(variance + epsilon) * gamma + beta``, in float32."""
        x = ops.cast(inputs, "float32")
        centred = x - ops.mean(x, axis=-1, keepdims=True)
        variance = ops.mean(centred * centred, axis=-1, keepdims=True)
        x = centred * ops.rsqrt(variance + self.epsilon)
        x = x * ops.cast(self.gamma, "float32") + ops.cast(self.beta, "float32")
        return ops.cast(x, self.compute_dtype)


@keras.saving.register_keras_serializable("roadmask")
class ScaledDotProduct(layers.Layer):  # type: ignore[misc]
    """Attention over grids (Vaswani et al., 2017), without weights of its own.

    Queries ``(h, w, C)``, keys and values ``(h', w', C)`` → ``(h, w, C)``.

    Args:
        heads: divides C.
    """

    def __init__(self, heads: int, **options: Any) -> None:
        super().__init__(**options)
        self.heads = heads

    def call(self, inputs: list[Tensor]) -> Tensor:
        """Softmax of the scaled products, in float32, times the values."""
        query, key, value = inputs
        _, height, width, channels = query.shape
        scale = (channels // self.heads) ** -0.5
        products = ops.matmul(self._split(query) * scale, ops.transpose(self._split(key), _LAST))
        share = ops.softmax(ops.cast(products, "float32"), axis=-1)
        mixed = ops.matmul(ops.cast(share, value.dtype), self._split(value))
        return ops.reshape(ops.transpose(mixed, _HEADS), (-1, height, width, channels))

    def _split(self, x: Tensor) -> Tensor:
        """``(n, h, w, C)`` → ``(n, heads, h w, C / heads)``."""
        _, height, width, channels = x.shape
        shape = (-1, height * width, self.heads, channels // self.heads)
        return ops.transpose(ops.reshape(x, shape), _HEADS)

    def compute_output_shape(self, input_shape: list[tuple[int | None, ...]]) -> Any:
        """That of the queries."""
        return input_shape[0]

    def count_macs(self) -> int:
        """Multiply-accumulates of both products for one image."""
        query, key, _ = self.input
        return int(2 * query.shape[1] * query.shape[2] * key.shape[1] * key.shape[2] * key.shape[3])

    def get_config(self) -> dict[str, Any]:
        """What ``__init__`` takes."""
        return {**super().get_config(), "heads": self.heads}


_HEADS, _LAST = (0, 2, 1, 3), (0, 1, 3, 2)
