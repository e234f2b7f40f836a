"""The zoo's names and what is known of each, for checks and lists that load no Keras."""

from __future__ import annotations

import difflib
from dataclasses import dataclass

from roadmask.errors import ConfigError


@dataclass(frozen=True)
class Network:
    """What is known of a network before it is built.

    Attributes:
        stride: both sides of the input are multiples of it.
        output_stride: input side / logits side.
        description: one line for the list.
        encoder: network with published weights inside, empty where there is none.
    """

    stride: int
    output_stride: int
    description: str
    encoder: str = ""


NETWORKS: dict[str, Network] = {
    "roadnet": Network(
        32, 4, "our first edge network: residual and inverted residual blocks, INT8"
    ),
    "roadlite": Network(
        32,
        4,
        "our edge family: EfficientNet-Lite0 (Google, 2020), first stages fused",
        "efficientnet_lite0_fused",
    ),
    **{
        f"roadlite_lite{variant}": Network(
            32,
            4,
            f"the same decoder over EfficientNet-Lite{variant} as published",
            f"efficientnet_lite{variant}",
        )
        for variant in (0, 1, 2)
    },
    "unet_mini": Network(4, 1, "U-Net (Ronneberger et al., 2015) of three levels, 32 to 128 wide"),
    "unet_vgg16": Network(32, 1, "U-Net over VGG16 (Simonyan and Zisserman, 2015)", "vgg16"),
    "unet_resnet50": Network(32, 1, "U-Net over ResNet-50 (He et al., 2016)", "resnet50"),
    "unet_efficientnetb3": Network(
        32, 1, "U-Net over EfficientNet-B3 (Tan and Le, 2019)", "efficientnetb3"
    ),
    "deeplabv3plus": Network(
        16,
        4,
        "DeepLabV3+ (Chen et al., 2018) over ResNet-50: atrous pyramid, small decoder",
        "resnet50",
    ),
    "deeplabv3plus_mobilenetv2": Network(
        16,
        4,
        "DeepLabV3+ over MobileNetV2 (Sandler et al., 2018), separable convolutions",
        "mobilenetv2",
    ),
    "pspnet": Network(
        8, 8, "PSPNet (Zhao et al., 2017) over ResNet-50: pyramid pooling", "resnet50"
    ),
    **{
        f"segformer_b{variant}": Network(
            32,
            4,
            f"SegFormer-B{variant} (Xie et al., 2021): hierarchical transformer, MLP decoder",
        )
        for variant in range(6)
    },
    "fast_scnn": Network(32, 8, "Fast-SCNN (Poudel et al., 2019): two branches, one shared stem"),
    "lraspp_mobilenetv3": Network(
        16, 8, "Lite R-ASPP over MobileNetV3-Large (Howard et al., 2019)", "mobilenetv3"
    ),
    "lraspp_mobilenetv3_minimalistic": Network(
        16,
        8,
        "the same without hard-swish and squeeze-excite: its authors' variant for INT8",
        "mobilenetv3_minimalistic",
    ),
}


def list_models() -> str:
    """The zoo as a table, a network a line: name, stride, output stride, what it is."""
    rows = [("name", "sizes", "logits", "")]
    for name, a in NETWORKS.items():
        text = a.description + (", ImageNet" if a.encoder else "")
        rows.append((name, f"×{a.stride}", f"1/{a.output_stride}", text))
    return "\n".join(f"{r[0]:<33}{r[1]:<7}{r[2]:<8}{r[3]}".rstrip() for r in rows)


def check_network(name: str, *sizes: tuple[int, int]) -> None:
    """Refuse what is no network of the zoo, or a size that it cannot take.

    Raises:
        ConfigError: says which.
    """
    if name not in NETWORKS:
        near = difflib.get_close_matches(name, NETWORKS, 1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise ConfigError(f"model {name!r} is unknown: give one of {', '.join(NETWORKS)}{hint}")
    stride = NETWORKS[name].stride
    for width, height in sizes:
        if width % stride or height % stride or min(width, height) < stride:
            near_size = "x".join(str(max(1, round(n / stride)) * stride) for n in (width, height))
            raise ConfigError(
                f"input size {width}x{height}: {name} takes multiples of {stride}, "
                f"such as {near_size}"
            )
