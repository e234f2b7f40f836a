"""The camera file: ROS's form, OpenCV's, our own; what cannot be used is one line."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from roadmask.calibration.camera_file import (
    CameraFile,
    read_camera_file,
    with_mounting,
    write_camera_file,
)
from roadmask.errors import ConfigError
from roadmask.stream.camera_geometry import CameraGeometry, geometry_of

ROS = """\
image_width: 1280
image_height: 720
camera_name: narrow_stereo
camera_matrix:
  rows: 3
  cols: 3
  data: [1000.5, 0., 640.1,
    0., 1001., 360.2, 0, 0, 1]
distortion_model: plumb_bob
distortion_coefficients:
  rows: 1
  cols: 5
  data: [-0.3, 0.1, 0.001, -0.002, 0.01]
rectification_matrix:
  rows: 3
  cols: 3
  data: [1, 0, 0, 0, 1, 0, 0, 0, 1]
"""
PINHOLE = CameraGeometry(
    1280, 720, 1000.5, 1001.0, 640.1, 360.2, k1=-0.3, k2=0.1, k3=0.01, p1=0.001, p2=-0.002,
)  # fmt: skip
FISHEYE = CameraGeometry(
    1280, 720, 400.0, 401.0, 639.0, 361.0, 0.1, -0.02, 1.3, 2.5, 0.5, -1.0, 0.7, k3=0.003,
    k4=-0.001, lens="fisheye", ego=((0, 719), (640, 600), (1279, 719)),
)  # fmt: skip


def test_ros_form(tmp_path: Path) -> None:
    path = tmp_path / "camera.yaml"
    path.write_text(ROS)
    assert read_camera_file(path) == CameraFile(PINHOLE, "narrow_stereo", frozenset())
    path.write_text("---\n" + ROS.replace("plumb_bob", "rational_polynomial"))
    assert read_camera_file(path).geometry == PINHOLE


def test_opencv_form(tmp_path: Path) -> None:
    path = tmp_path / "opencv.yml"
    storage = cv2.FileStorage(str(path), cv2.FILE_STORAGE_WRITE)
    storage.write("image_width", 1280)
    storage.write("image_height", 720)
    storage.write("fisheye_model", 1)
    matrix = np.array(((400.0, 0, 639.0), (0, 401.0, 361.0), (0, 0, 1)))
    storage.write("camera_matrix", matrix)
    storage.write("distortion_coefficients", np.array((0.1, -0.02, 0.003, -0.001)))
    storage.release()
    found = read_camera_file(path).geometry
    lens = ("width", "fx", "fy", "cx", "cy", "k1", "k2", "k3", "k4", "lens")
    assert all(getattr(found, name) == getattr(FISHEYE, name) for name in lens)


@pytest.mark.parametrize("geometry", [PINHOLE, FISHEYE])
def test_what_is_written_is_read(tmp_path: Path, geometry: CameraGeometry) -> None:
    told = {"height_m": 1.3, "pitch_deg": 2.5} if geometry is PINHOLE else {}
    camera = with_mounting(CameraFile(geometry, "front", frozenset()), told)
    if geometry is FISHEYE:
        names = ("height_m", "pitch_deg", "roll_deg", "yaw_deg", "pitch_uncertainty_deg")
        camera = replace(camera, told=frozenset(names))
    write_camera_file(tmp_path / "a.yaml", camera)
    assert read_camera_file(tmp_path / "a.yaml") == camera
    assert geometry_of(camera.geometry.body, camera.geometry.ego_body) == camera.geometry


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("plumb_bob", "thin_prism", "distortion_model 'thin_prism'; expected one of plumb_bob"),
        ("0., 1001.", "3., 1001.", "skew"),
        ("image_width: 1280", "image_width: 0", "image of 0x720 px"),
        ("image_width: 1280\n", "", "no image_width"),
        ("[-0.3, 0.1, 0.001, -0.002, 0.01]", "[-0.3, 0.1]", "distortion_coefficients of 2"),
        ("[-0.3, 0.1, 0.001, -0.002, 0.01]", "[-0.3, 0.1, 0, 0, .nan]", "a number"),
        ("[-0.3, 0.1, 0.001, -0.002, 0.01]", "[0, 0, 0, 0, 0, 1, 0, 0]", "no more than"),
        ("camera_matrix:", "matrix:", "no camera_matrix"),
        ("data: [1000.5", "data: [wide", "a number"),
        ("rectification_matrix:", "mounting:\n  height_m: high\nr:", "mounting.height_m"),
        ("rectification_matrix:", "ego_mask: [1, 2, 3]\nr:", "ego_mask of 3 numbers"),
        ("rectification_matrix:", "ego_mask: [1, -2]\nr:", "whole numbers"),
        ("data: [-0.3", "data: [[-0.3", "no YAML"),
    ],
)
def test_what_cannot_be_used_is_one_line(tmp_path: Path, old: str, new: str, said: str) -> None:
    path = tmp_path / "camera.yaml"
    assert old in ROS
    path.write_text(ROS.replace(old, new, 1))
    with pytest.raises(ConfigError, match=r"expected") as caught:
        read_camera_file(path)
    assert said in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("data", [b"", b"\0\xff\xfe", b"[1, 2", b"{", b"\tx: 1", b"a" * (2 << 20)])
def test_any_other_file_is_one_line(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "camera.yaml"
    path.write_bytes(data)
    with pytest.raises(ConfigError, match="expected"):
        read_camera_file(path)
    with pytest.raises(ConfigError, match="No such file"):
        read_camera_file(tmp_path / "missing.yaml")
