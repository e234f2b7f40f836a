"""The vocabulary of augmentation recipes: what each transform does, its parameters and limits."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import albumentations as A
import cv2

from train.data.bonnet import Bonnet
from train.data.fog import Fog

Pair = tuple[float, float]
Values = Mapping[str, Any]
_INTERPOLATION = {
    "interpolation": cv2.INTER_LINEAR,
    "mask_interpolation": cv2.INTER_NEAREST,
}


@dataclass(frozen=True)
class Target:
    """What every sample of a run has in common.

    Attributes:
        size: width and height of the result in px.
        void: id that the mask gets where the frame ends.
    """

    size: tuple[int, int]
    void: int


@dataclass(frozen=True)
class Parameter:
    """A number, or a range ``[from, to]`` that one is drawn from evenly.

    Attributes:
        default: what holds where the recipe says nothing; its kind is the parameter's.
        low, high: limits of what makes sense.
    """

    default: float | Pair
    low: float
    high: float


@dataclass(frozen=True)
class Transform:
    """How a step of a recipe becomes an albumentations transform."""

    build: Callable[[Target, float, Values], Any]
    parameters: Mapping[str, Parameter]


def _crop(target: Target, p: float, values: Values) -> Any:
    width, height = target.size
    narrow, wide = values["aspect"]
    return A.RandomResizedCrop(
        (height, width),
        scale=values["area"],
        ratio=(narrow * width / height, wide * width / height),
        p=p,
        **_INTERPOLATION,
    )


def _affine(target: Target, p: float, values: Values) -> Any:
    return A.Affine(
        rotate=values["rotate"],
        scale=values["scale"],
        shear=values["shear"],
        fill_mask=target.void,
        p=p,
        **_INTERPOLATION,
    )


def _whole(pair: Pair) -> tuple[int, int]:
    return int(pair[0]), int(pair[1])


def whole_frame(target: Target) -> Any:
    """The whole frame, stretched to the target's size."""
    width, height = target.size
    return A.Resize(height, width, area_for_downscale="image", **_INTERPOLATION)


TRANSFORMS: dict[str, Transform] = {
    # A part of the frame, stretched to the input: `area` of the frame, `aspect` relative to the
    # input's own (a 16:9 camera on a 4:3 input is seen at 0.75).
    "crop": Transform(
        _crop,
        {
            "area": Parameter((0.2, 1.0), 0.01, 1.0),
            "aspect": Parameter((0.75, 1.6), 0.1, 10.0),
        },
    ),
    "flip": Transform(lambda target, p, v: A.HorizontalFlip(p=p), {}),
    # Degrees; factor (under 1 shrinks, void around it); degrees.
    "affine": Transform(
        _affine,
        {
            "rotate": Parameter((-6.0, 6.0), -180.0, 180.0),
            "scale": Parameter((1.0, 1.0), 0.1, 10.0),
            "shear": Parameter((0.0, 0.0), -45.0, 45.0),
        },
    ),
    # Each drawn from 1 - x to 1 + x as a factor; hue is an offset, of a whole turn.
    "light": Transform(
        lambda target, p, v: A.ColorJitter(
            v["brightness"], v["contrast"], v["saturation"], v["hue"], p=p
        ),
        {
            "brightness": Parameter(0.35, 0.0, 1.0),
            "contrast": Parameter(0.35, 0.0, 1.0),
            "saturation": Parameter(0.35, 0.0, 1.0),
            "hue": Parameter(0.03, 0.0, 0.5),
        },
    ),
    "gamma": Transform(
        lambda target, p, v: A.RandomGamma((100 * v["gamma"][0], 100 * v["gamma"][1]), p=p),
        {"gamma": Parameter((0.7, 1.4), 0.1, 10.0)},
    ),
    # Width of the kernel and its standard deviation, px.
    "blur": Transform(
        lambda target, p, v: A.GaussianBlur(_whole(v["width"]), v["sigma"], p=p),
        {"width": Parameter((3.0, 5.0), 3.0, 99.0), "sigma": Parameter((0.5, 3.0), 0.1, 20.0)},
    ),
    # Length of the streak, px.
    "motion_blur": Transform(
        lambda target, p, v: A.MotionBlur(_whole(v["length"]), p=p),
        {"length": Parameter((3.0, 9.0), 3.0, 99.0)},
    ),
    # Standard deviation as a share of full scale.
    "noise": Transform(
        lambda target, p, v: A.GaussNoise(v["deviation"], p=p),
        {"deviation": Parameter((0.01, 0.04), 0.0, 1.0)},
    ),
    # JPEG quality, as a webcam's MJPG has it.
    "jpeg": Transform(
        lambda target, p, v: A.ImageCompression("jpeg", _whole(v["quality"]), p=p),
        {"quality": Parameter((40.0, 95.0), 1.0, 100.0)},
    ),
    # Streaks of `length` px at up to `slant` degrees, the frame darkened to `brightness`.
    "rain": Transform(
        lambda target, p, v: A.RandomRain(
            (-v["slant"], v["slant"]),
            drop_length=round(v["length"]),
            brightness_coefficient=v["brightness"],
            blur_value=3,
            rain_type="default",
            p=p,
        ),
        {
            "slant": Parameter(10.0, 0.0, 20.0),
            "length": Parameter(10.0, 1.0, 100.0),
            "brightness": Parameter(0.8, 0.1, 1.0),
        },
    ),
    # Share of air light at the horizon; the nearer, the clearer.
    "fog": Transform(
        lambda target, p, v: Fog(v["density"], p=p),
        {"density": Parameter((0.4, 0.95), 0.0, 1.0)},
    ),
    # Share of the frame's height that one's own bonnet or dashboard takes; void in the mask.
    "bonnet": Transform(
        lambda target, p, v: Bonnet(v["height"], target.void, p=p),
        {"height": Parameter((0.06, 0.3), 0.0, 0.9)},
    ),
    # Patches whose sides are this share of the frame's, each of one colour; void in the mask.
    "erase": Transform(
        lambda target, p, v: A.CoarseDropout(
            num_holes_range=_whole(v["patches"]),
            hole_height_range=v["side"],
            hole_width_range=v["side"],
            fill="random_uniform",
            fill_mask=target.void,
            p=p,
        ),
        {
            "patches": Parameter((1.0, 3.0), 1.0, 20.0),
            "side": Parameter((0.05, 0.2), 0.01, 0.9),
        },
    ),
    "snow": Transform(
        lambda target, p, v: A.RandomSnow(snow_point_range=v["cover"], brightness_coeff=2.0, p=p),
        {"cover": Parameter((0.1, 0.3), 0.0, 1.0)},
    ),
    # Depth of the shadow that a house or a bridge throws on the lower half.
    "shadow": Transform(
        lambda target, p, v: A.RandomShadow(shadow_intensity_range=v["depth"], p=p),
        {"depth": Parameter((0.2, 0.6), 0.0, 1.0)},
    ),
    # Radius of the glare, as a share of the frame's height.
    "glare": Transform(
        lambda target, p, v: A.RandomSunFlare(
            src_radius=max(2, round(v["radius"] * target.size[1])), p=p
        ),
        {"radius": Parameter(0.3, 0.01, 1.0)},
    ),
}
