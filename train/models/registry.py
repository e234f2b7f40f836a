"""The table of the zoo, and ``build_model`` over it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import keras

from roadmask.errors import ConfigError
from train.models.deeplab import deeplabv3plus
from train.models.fast_scnn import fast_scnn
from train.models.lraspp import lraspp
from train.models.pspnet import pspnet
from train.models.roadlite import roadlite
from train.models.roadnet import roadnet
from train.models.segformer import VARIANTS, segformer
from train.models.unet import unet, unet_mini
from train.models.weights import is_encoder_weights, load_weights
from train.zoo import check_network

Builder = Callable[[tuple[int, int], int, "str | None"], keras.Model]


@dataclass(frozen=True)
class Architecture:
    """A network of the zoo.

    Attributes:
        build: input size (width, height) in px, classes, encoder weights → network of RGB 0–255
            to logits.
        stride: both sides of the input are multiples of it.
        output_stride: input side / logits side.
        description: one line for the list.
        encoder: network with published weights inside, empty where there is none.
    """

    build: Builder
    stride: int
    output_stride: int
    description: str
    encoder: str = ""


def _plain(build: Callable[[tuple[int, int], int], keras.Model]) -> Builder:
    return lambda size, classes, _: build(size, classes)


def _unet(encoder: str) -> Builder:
    return lambda size, classes, weights: unet(size, classes, encoder, weights)


def _deeplab(encoder: str, separable: bool) -> Builder:
    return lambda size, classes, weights: deeplabv3plus(size, classes, encoder, weights, separable)


def _lraspp(encoder: str) -> Builder:
    return lambda size, classes, weights: lraspp(size, classes, encoder, weights)


def _roadlite(encoder: str) -> Builder:
    return lambda size, classes, weights: roadlite(size, classes, encoder, weights)


def _segformer(variant: str) -> Architecture:
    return Architecture(
        lambda size, classes, _: segformer(size, classes, variant),
        32,
        4,
        f"SegFormer-{variant.upper()} (Xie et al., 2021): hierarchical transformer, MLP decoder",
    )


MODELS: dict[str, Architecture] = {
    "roadnet": Architecture(
        _plain(roadnet),
        32,
        4,
        "our first edge network: residual and inverted residual blocks, INT8",
    ),
    "roadlite": Architecture(
        _roadlite("efficientnet_lite0_fused"),
        32,
        4,
        "our edge family: EfficientNet-Lite0 (Google, 2020), first stages fused",
        "efficientnet_lite0_fused",
    ),
    **{
        f"roadlite_lite{variant}": Architecture(
            _roadlite(f"efficientnet_lite{variant}"),
            32,
            4,
            f"the same decoder over EfficientNet-Lite{variant} as published",
            f"efficientnet_lite{variant}",
        )
        for variant in (0, 1, 2)
    },
    "unet_mini": Architecture(
        _plain(unet_mini), 4, 1, "U-Net (Ronneberger et al., 2015) of three levels, 32 to 128 wide"
    ),
    "unet_vgg16": Architecture(
        _unet("vgg16"), 32, 1, "U-Net over VGG16 (Simonyan and Zisserman, 2015)", "vgg16"
    ),
    "unet_resnet50": Architecture(
        _unet("resnet50"), 32, 1, "U-Net over ResNet-50 (He et al., 2016)", "resnet50"
    ),
    "unet_efficientnetb3": Architecture(
        _unet("efficientnetb3"),
        32,
        1,
        "U-Net over EfficientNet-B3 (Tan and Le, 2019)",
        "efficientnetb3",
    ),
    "deeplabv3plus": Architecture(
        _deeplab("resnet50", separable=False),
        16,
        4,
        "DeepLabV3+ (Chen et al., 2018) over ResNet-50: atrous pyramid, small decoder",
        "resnet50",
    ),
    "deeplabv3plus_mobilenetv2": Architecture(
        _deeplab("mobilenetv2", separable=True),
        16,
        4,
        "DeepLabV3+ over MobileNetV2 (Sandler et al., 2018), separable convolutions",
        "mobilenetv2",
    ),
    "pspnet": Architecture(
        pspnet, 8, 8, "PSPNet (Zhao et al., 2017) over ResNet-50: pyramid pooling", "resnet50"
    ),
    **{f"segformer_{variant}": _segformer(variant) for variant in VARIANTS},
    "fast_scnn": Architecture(
        _plain(fast_scnn), 32, 8, "Fast-SCNN (Poudel et al., 2019): two branches, one shared stem"
    ),
    "lraspp_mobilenetv3": Architecture(
        _lraspp("mobilenetv3"),
        16,
        8,
        "Lite R-ASPP over MobileNetV3-Large (Howard et al., 2019)",
        "mobilenetv3",
    ),
    "lraspp_mobilenetv3_minimalistic": Architecture(
        _lraspp("mobilenetv3_minimalistic"),
        16,
        8,
        "the same without hard-swish and squeeze-excite: its authors' variant for INT8",
        "mobilenetv3_minimalistic",
    ),
}


def build_model(
    name: str, input_size: tuple[int, int], classes: int = 8, weights: str | Path | None = None
) -> keras.Model:
    """Build a network of the zoo: RGB ``(H, W, 3)`` in 0–255 → logits ``(h, w, classes)``.

    Args:
        name: in ``MODELS``.
        input_size: width and height in px, multiples of the network's stride.
        classes: output channels; for the 8 categories, channel 0 (void) is never trained.
        weights: None for random ones; ``imagenet`` for the encoder's, fetched once by Keras; an
            ``.h5`` file of the encoder's (keras.applications' own, without top), or the ``.pth`` of
            EfficientNet-Lite's package; or a ``.keras``
            file of the same network, whose size and number of classes may differ.

    Raises:
        ConfigError: unknown name, a size that the stride does not divide, weights that the
            network has not or that cannot be fetched.
        ModelError: a weights file that does not fit.
    """
    check_network(name, input_size)
    architecture = MODELS[name]
    if classes < 2:
        raise ConfigError(f"classes {classes}: expected 2 or more")
    for_encoder = is_encoder_weights(weights)
    if for_encoder and not architecture.encoder:
        having = ", ".join(other for other, a in MODELS.items() if a.encoder)
        raise ConfigError(
            f"{name} has no encoder with published weights, so no {weights}: give none, or "
            f"a .keras file of {name}; ImageNet weights exist for {having}"
        )
    model = architecture.build(input_size, classes, str(weights) if for_encoder else None)
    model.name = name
    if weights is not None and not for_encoder:
        load_weights(model, Path(weights))
    return model


def at_size(model: keras.Model, input_size: tuple[int, int]) -> keras.Model:
    """A network of the zoo with the same weights and layer names, for another input size.

    Names that Keras counts up depend on what was built before; a converted file holds them.

    Raises:
        ConfigError: no network of the zoo, or a size that its stride does not divide.
    """
    if model.name not in MODELS:
        raise ConfigError(
            f"{model.name} is no network of the zoo: it has the size it was built with"
        )
    other = build_model(model.name, input_size, model.output_shape[-1])
    other.set_weights(model.get_weights())
    for layer, source in zip(other.layers, model.layers, strict=True):
        layer.name = source.name
    return other


def list_models() -> str:
    """The zoo as a table, a network a line: name, stride, output stride, what it is."""
    rows = [("name", "sizes", "logits", "")]
    for name, a in MODELS.items():
        text = a.description + (", ImageNet" if a.encoder else "")
        rows.append((name, f"×{a.stride}", f"1/{a.output_stride}", text))
    return "\n".join(f"{r[0]:<33}{r[1]:<7}{r[2]:<8}{r[3]}".rstrip() for r in rows)
