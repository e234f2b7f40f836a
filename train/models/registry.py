"""The table of the zoo, and ``build_model`` over it."""

from __future__ import annotations

from collections.abc import Callable
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
from train.zoo import NETWORKS, check_network

Builder = Callable[[tuple[int, int], int, "str | None"], keras.Model]


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


def _segformer(variant: str) -> Builder:
    return lambda size, classes, _: segformer(size, classes, variant)


# Input size (width, height) in px, classes, encoder weights → network of RGB 0–255 to logits.
MODELS: dict[str, Builder] = {
    "roadnet": _plain(roadnet),
    "roadlite": _roadlite("efficientnet_lite0_fused"),
    **{
        f"roadlite_lite{variant}": _roadlite(f"efficientnet_lite{variant}") for variant in (0, 1, 2)
    },
    "unet_mini": _plain(unet_mini),
    "unet_vgg16": _unet("vgg16"),
    "unet_resnet50": _unet("resnet50"),
    "unet_efficientnetb3": _unet("efficientnetb3"),
    "deeplabv3plus": _deeplab("resnet50", separable=False),
    "deeplabv3plus_mobilenetv2": _deeplab("mobilenetv2", separable=True),
    "pspnet": pspnet,
    **{f"segformer_{variant}": _segformer(variant) for variant in VARIANTS},
    "fast_scnn": _plain(fast_scnn),
    "lraspp_mobilenetv3": _lraspp("mobilenetv3"),
    "lraspp_mobilenetv3_minimalistic": _lraspp("mobilenetv3_minimalistic"),
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
    network = NETWORKS[name]
    if classes < 2:
        raise ConfigError(f"classes {classes}: expected 2 or more")
    for_encoder = is_encoder_weights(weights)
    if for_encoder and not network.encoder:
        having = ", ".join(other for other, a in NETWORKS.items() if a.encoder)
        raise ConfigError(
            f"{name} has no encoder with published weights, so no {weights}: give none, or "
            f"a .keras file of {name}; ImageNet weights exist for {having}"
        )
    model = MODELS[name](input_size, classes, str(weights) if for_encoder else None)
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
