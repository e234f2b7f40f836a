"""The camera file: YAML as ROS's camera_info or OpenCV's calibration writes it, and the mounting.

Beside the intrinsics of either form stand our own keys, which both ignore: ``mounting`` with
``height_m``, ``pitch_deg``, ``roll_deg``, ``yaw_deg`` and ``pitch_uncertainty_deg``, and
``ego_mask``, a flat list of x and y.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2

from roadmask.errors import ConfigError
from roadmask.stream.camera_geometry import FISHEYE, MAX_EGO_CORNERS, PINHOLE, CameraGeometry
from roadmask.system.bounded import read_bounded
from roadmask.system.files import write_text

MOUNTING = ("height_m", "pitch_deg", "roll_deg", "yaw_deg", "pitch_uncertainty_deg")
_MODELS = {
    "plumb_bob": PINHOLE,
    "rational_polynomial": PINHOLE,
    "equidistant": FISHEYE,
    "fisheye": FISHEYE,
    "": PINHOLE,
}
_MOST_BYTES = 1 << 20


@dataclass(frozen=True)
class CameraFile:
    """What a camera file says.

    Attributes:
        geometry: ``height_m`` and the angles are 0 where the file does not tell.
        name: of the camera.
        told: which of ``MOUNTING`` it tells.
    """

    geometry: CameraGeometry
    name: str
    told: frozenset[str]


def read_camera_file(path: Path) -> CameraFile:
    """The camera that ``path`` describes.

    Raises:
        ConfigError: missing, no YAML, or not of a lens that roadmask knows.
    """
    node = _Node(path, _root(path))
    model = node.text("distortion_model")
    if model not in _MODELS:
        known = ", ".join(name for name in _MODELS if name)
        raise node.error(f"distortion_model {model!r}", f"one of {known}")
    lens = FISHEYE if node.number("fisheye_model", 0.0) else _MODELS[model]
    matrix = node.matrix("camera_matrix", (9,))
    if any(matrix[i] for i in (1, 3, 6, 7)) or matrix[8] != 1:
        raise node.error("camera_matrix with a skew", "[fx 0 cx, 0 fy cy, 0 0 1]")
    size: list[Any] = [node.number(name) for name in ("image_width", "image_height")]
    if not all(value == int(value) and 1 <= value <= 65535 for value in size):
        raise node.error(f"image of {size[0]:g}x{size[1]:g} px", "1 to 65535 a side")
    mounting: dict[str, Any] = {
        name: node.child("mounting", name) for name in MOUNTING if node.has("mounting", name)
    }
    corners = node.numbers("ego_mask")
    if len(corners) % 2 or len(corners) > 2 * MAX_EGO_CORNERS:
        raise node.error(f"ego_mask of {len(corners)} numbers", "x and y of 3 to 32 corners")
    if any(value != int(value) or not 0 <= value <= 65535 for value in corners):
        raise node.error("ego_mask", "whole numbers from 0 to 65535, camera px")
    whole = [int(value) for value in corners]
    geometry = CameraGeometry(
        width=size[0], height=size[1], fx=matrix[0], fy=matrix[4], cx=matrix[2], cy=matrix[5],
        lens=lens, ego=tuple(zip(whole[::2], whole[1::2], strict=True)), **mounting,
        **_distortion(node, lens),
    )  # fmt: skip
    return CameraFile(geometry, node.text("camera_name") or path.stem, frozenset(mounting))


def write_camera_file(path: Path, camera: CameraFile) -> None:
    """Write it in ROS's form; whole or not at all.

    Raises:
        ConfigError: it cannot be written.
    """
    g = camera.geometry
    fisheye = g.lens == FISHEYE
    k = (g.k1, g.k2, g.k3, g.k4) if fisheye else (g.k1, g.k2, g.p1, g.p2, g.k3)
    matrix = (g.fx, 0.0, g.cx, 0.0, g.fy, g.cy, 0.0, 0.0, 1.0)
    projection = (g.fx, 0.0, g.cx, 0.0, 0.0, g.fy, g.cy, 0.0, 0.0, 0.0, 1.0, 0.0)
    one = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)
    lines = [
        f"image_width: {int(g.width)}",
        f"image_height: {int(g.height)}",
        f"camera_name: {_quoted(camera.name)}",
        *_matrix("camera_matrix", 3, 3, matrix),
        f"distortion_model: {'equidistant' if fisheye else 'plumb_bob'}",
        *_matrix("distortion_coefficients", 1, len(k), k),
        *_matrix("rectification_matrix", 3, 3, one),
        *_matrix("projection_matrix", 3, 4, projection),
    ]
    if camera.told:
        lines.append("mounting:")
        lines += [f"  {name}: {getattr(g, name)!r}" for name in MOUNTING if name in camera.told]
    if g.ego:
        lines.append(f"ego_mask: [{', '.join(map(str, g.corners))}]")
    write_text(path, "\n".join(lines) + "\n")


def with_mounting(camera: CameraFile, given: dict[str, Any]) -> CameraFile:
    """The same camera in another place; ``given`` are some of ``MOUNTING``."""
    told = camera.told | set(given)
    return CameraFile(replace(camera.geometry, **given), camera.name, frozenset(told))


def _distortion(node: _Node, lens: str) -> dict[str, Any]:
    counts = (4,) if lens == FISHEYE else (0, 4, 5, 8, 12, 14)
    name = "distortion_coefficients"
    k = node.matrix(name, counts) if node.has(name) else [0.0] * counts[0]
    if lens == FISHEYE:
        return dict(zip(("k1", "k2", "k3", "k4"), k, strict=True))
    if any(k[5:]):
        raise node.error(f"{len(k)} distortion_coefficients", "no more than k1 k2 p1 p2 k3")
    return dict(zip(("k1", "k2", "p1", "p2", "k3"), k[:5], strict=False))


def _root(path: Path) -> Any:
    try:
        text = read_bounded(path, _MOST_BYTES).decode("utf-8", "replace")
    except OSError as error:
        raise ConfigError(
            f"camera file {path}: {error.strerror}; expected YAML of a camera"
        ) from error
    body = "\n".join(line for line in text.splitlines() if not line.startswith(("%YAML", "---")))
    flags = cv2.FILE_STORAGE_READ | cv2.FILE_STORAGE_MEMORY
    try:
        storage = cv2.FileStorage(f"%YAML:1.0\n---\n{body}\n", flags)
        root = storage.root()
        usable = root.isMap()
    except (cv2.error, SystemError):
        usable = False
    if not usable:
        raise ConfigError(
            f"camera file {path} is no YAML of a camera; expected the form of ROS's camera_info "
            "or of OpenCV's calibration, as 'roadmask calibrate' writes it"
        )
    return storage, root  # the nodes live as long as the storage


class _Node:
    """The file's keys, read with one line for what is wrong."""

    def __init__(self, path: Path, opened: tuple[Any, Any]) -> None:
        self._path, (self._storage, self._root) = path, opened

    def error(self, given: str, expected: str) -> ConfigError:
        return ConfigError(f"camera file {self._path}: {given}; expected {expected}")

    def has(self, *names: str) -> bool:
        node = self._root
        for name in names:
            if not node.isMap() or name not in node.keys():  # noqa: SIM118 - no mapping
                return False
            node = node.getNode(name)
        return True

    def text(self, name: str) -> str:
        if not self.has(name):
            return ""
        node = self._root.getNode(name)
        return str(node.string()) if node.isString() else str(node.real())

    def number(self, name: str, default: float | None = None) -> float:
        if not self.has(name):
            if default is None:
                raise self.error(f"no {name}", "a number")
            return default
        return self._real(name, self._root.getNode(name))

    def child(self, parent: str, name: str) -> float:
        return self._real(f"{parent}.{name}", self._root.getNode(parent).getNode(name))

    def numbers(self, name: str) -> list[float]:
        if not self.has(name):
            return []
        node = self._root.getNode(name)
        if not node.isSeq():
            raise self.error(name, "a list of numbers")
        return [self._real(name, node.at(i)) for i in range(node.size())]

    def matrix(self, name: str, counts: tuple[int, ...]) -> list[Any]:
        """The numbers of a matrix, in ROS's form or OpenCV's."""
        if not self.has(name):
            raise self.error(f"no {name}", "rows, cols and data")
        node = self._root.getNode(name)
        data = node.getNode("data") if node.isMap() and self.has(name, "data") else node
        if not data.isSeq():
            raise self.error(name, "rows, cols and data")
        values = [self._real(name, data.at(i)) for i in range(data.size())]
        if len(values) not in counts:
            wanted = " or ".join(map(str, counts))
            raise self.error(f"{name} of {len(values)} numbers", wanted)
        return values

    def _real(self, name: str, node: Any) -> float:
        if not (node.isReal() or node.isInt()) or not math.isfinite(node.real()):
            raise self.error(name, "a number")
        return float(node.real())


def _quoted(name: str) -> str:
    safe = "".join(c for c in name if c.isalnum() or c in "-_./ ")
    return f'"{safe}"'


def _matrix(name: str, rows: int, cols: int, values: tuple[float, ...]) -> list[str]:
    data = ", ".join(repr(float(value)) for value in values)
    return [f"{name}:", f"  rows: {rows}", f"  cols: {cols}", f"  data: [{data}]"]
