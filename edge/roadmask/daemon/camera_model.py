"""``[camera]``: the geometry by which masks may be measured, as the configuration tells it."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from roadmask._native import geometry_fault
from roadmask.errors import ConfigError
from roadmask.stream.camera_geometry import CameraGeometry
from roadmask.stream.protocol import Identity
from roadmask.system.forms import Form
from roadmask.system.ranges import between
from roadmask.system.settings import check, setting

_CORNERS = Form(
    r"\d{1,5},\d{1,5}(?: \d{1,5},\d{1,5}){2,31}",
    "3 to 32 corners such as 0,719 640,600 1279,719",
)
_PLACE = ("height_m", "pitch_deg", "roll_deg", "yaw_deg", "pitch_uncertainty_deg")
_UNTOLD_UNCERTAINTY_DEG = 1.0  # springs, load and a mount that nobody measured
_EXPECTED = {
    "FOCAL": "a focal length from a twentieth to a hundred times the picture's width",
    "CENTRE": "an optical centre in the picture",
    "DISTORTION": "k1 k2 k3 p1 p2 of a pinhole or k1 to k4 of a fisheye, none of them huge",
    "HORIZON": "a horizon in the picture: see pitch_deg and roll_deg",
    "EGO": "an ego mask of at most 32 corners",
}


@dataclass(frozen=True)
class CameraSettings:
    """The camera's lens and place: ``[camera]`` of the configuration."""

    file: str = setting("", "YAML of ROS's camera_info or OpenCV, see calibrate", option="")
    field_of_view_deg: float | None = setting(
        None,
        "horizontal; a pinhole without distortion, where there is no file",
        unit="degrees",
        within=between(5.0, 150.0),
        option="",
    )
    height_m: float | None = setting(
        None, "above the road", unit="m", within=between(0.1, 20.0), option=""
    )
    pitch_deg: float | None = setting(
        None, "how far it looks down", unit="degrees", within=between(-60.0, 60.0), option=""
    )
    roll_deg: float | None = setting(
        None,
        "how far it leans to the right",
        unit="degrees",
        within=between(-45.0, 45.0),
        option="",
    )
    yaw_deg: float | None = setting(
        None,
        "how far it looks to the right",
        unit="degrees",
        within=between(-60.0, 60.0),
        option="",
    )
    pitch_uncertainty_deg: float | None = setting(
        None,
        "the true pitch is no further off; where nobody tells: 1",
        unit="degrees",
        within=between(0.0, 10.0),
        option="",
    )
    ego_mask: str = setting(
        "", "what it sees of its own vehicle, in camera px", form=_CORNERS, option=""
    )

    def __post_init__(self) -> None:
        check(self)


def camera_model(
    settings: CameraSettings, size: tuple[int, int] | None = None
) -> tuple[CameraGeometry, str] | None:
    """The geometry and the camera's name; None where nothing is told.

    Args:
        settings: the table.
        size: (width, height) px of the camera's picture; None: not known yet, any will do.

    Raises:
        ConfigError: a file that cannot be read, a place without a lens, a lens without a height,
            another picture than the file is for, or a geometry that nothing can be measured with.
    """
    if settings == CameraSettings():
        return None
    geometry, name, told = _lens(settings, size)
    given: dict[str, Any] = {
        key: getattr(settings, key) for key in _PLACE if getattr(settings, key) is not None
    }
    if "height_m" not in told | set(given):
        raise ConfigError("[camera] height_m is not told; expected metres above the road")
    if "pitch_uncertainty_deg" not in told | set(given):
        given["pitch_uncertainty_deg"] = _UNTOLD_UNCERTAINTY_DEG
    if settings.ego_mask:
        numbers = [int(number) for number in re.findall(r"\d+", settings.ego_mask)]
        given["ego"] = tuple(zip(numbers[::2], numbers[1::2], strict=True))
    geometry = replace(geometry, **given)
    if size is not None and (geometry.width, geometry.height) != size:
        raise ConfigError(
            f"[camera] file {settings.file} is for {geometry.width:g}x{geometry.height:g} px and "
            f"the camera gives {size[0]}x{size[1]}; expected the same size"
        )
    fault = geometry_fault(geometry.values, geometry.corners)
    if fault != "NONE":
        expected = _EXPECTED.get(fault, "the ranges of docs/daemon.md")
        raise ConfigError(
            f"[camera] nothing can be measured with it ({fault}); expected {expected}"
        )
    return geometry, name


def _lens(
    settings: CameraSettings, size: tuple[int, int] | None
) -> tuple[CameraGeometry, str, frozenset[str]]:
    if settings.file and settings.field_of_view_deg is not None:
        raise ConfigError("[camera] has file and field_of_view_deg; expected one of them")
    if settings.file:
        from roadmask.calibration.camera_file import read_camera_file

        camera = read_camera_file(Path(settings.file))
        return camera.geometry, camera.name, camera.told
    if settings.field_of_view_deg is None:
        raise ConfigError("[camera] tells a place and no lens; expected file or field_of_view_deg")
    width, height = size or (1280, 720)
    lens = CameraGeometry.pinhole((width, height), settings.field_of_view_deg, 0.0)
    return lens, f"pinhole of {settings.field_of_view_deg:g} degrees", frozenset()


def geometry_identities(model: tuple[CameraGeometry, str] | None) -> dict[str, Identity]:
    """The stream's entries ``geometry`` and ``ego``; none of what is not told."""
    if model is None:
        return {}
    geometry, name = model
    entries = {"geometry": Identity(name, geometry.digest, (), geometry.body)}
    if geometry.ego:
        body = geometry.ego_body
        entries["ego"] = Identity("ego mask", hashlib.sha256(body).digest(), (), body)
    return entries
