"""The zoo's names and what their sizes must be, for checks that load no Keras."""

from __future__ import annotations

import difflib

from roadmask.errors import ConfigError

# Network → both sides of its input are multiples of it.
STRIDES = {
    "roadnet": 32,
    "roadlite": 32,
    "roadlite_lite0": 32,
    "roadlite_lite1": 32,
    "roadlite_lite2": 32,
    "unet_mini": 4,
    "unet_vgg16": 32,
    "unet_resnet50": 32,
    "unet_efficientnetb3": 32,
    "deeplabv3plus": 16,
    "deeplabv3plus_mobilenetv2": 16,
    "pspnet": 8,
    "segformer_b0": 32,
    "segformer_b1": 32,
    "segformer_b2": 32,
    "segformer_b3": 32,
    "segformer_b4": 32,
    "segformer_b5": 32,
    "fast_scnn": 32,
    "lraspp_mobilenetv3": 16,
    "lraspp_mobilenetv3_minimalistic": 16,
}


def check_network(name: str, *sizes: tuple[int, int]) -> None:
    """Refuse what is no network of the zoo, or a size that it cannot take.

    Raises:
        ConfigError: says which.
    """
    if name not in STRIDES:
        near = difflib.get_close_matches(name, STRIDES, 1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise ConfigError(f"model {name!r} is unknown: give one of {', '.join(STRIDES)}{hint}")
    stride = STRIDES[name]
    for width, height in sizes:
        if width % stride or height % stride or min(width, height) < stride:
            near_size = "x".join(str(max(1, round(n / stride)) * stride) for n in (width, height))
            raise ConfigError(
                f"input size {width}x{height}: {name} takes multiples of {stride}, "
                f"such as {near_size}"
            )
