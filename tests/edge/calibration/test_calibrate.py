"""``roadmask calibrate``: boards of a known lens, the town's horizon, a painted bonnet."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from roadmask.arrays import U8
from roadmask.calibration.camera_file import CameraFile, read_camera_file, write_camera_file
from roadmask.cli.main import main
from roadmask.stream.camera_geometry import CameraGeometry
from roadmask.town.town import Town

SIZE = (640, 480)
LENSES = {
    "pinhole": CameraGeometry(*SIZE, 520.0, 523.0, 322.0, 236.0, k1=-0.2, k2=0.05),
    "fisheye": CameraGeometry(*SIZE, 300.0, 302.0, 322.0, 236.0, k1=0.02, k2=-0.01, lens="fisheye"),
}
COLUMNS, ROWS = 7, 5  # inner corners


def board(lens: CameraGeometry, turn: tuple[float, ...], shift: tuple[float, ...]) -> U8:
    """A chessboard of 40 mm squares before the camera; edges are sampled, so that they bend."""
    picture = np.full((SIZE[1], SIZE[0]), 230, np.uint8)
    matrix = np.array(((lens.fx, 0, lens.cx), (0, lens.fy, lens.cy), (0, 0, 1)))
    k = np.array((lens.k1, lens.k2, 0.0, 0.0))
    step = np.linspace(0, 1, 9)
    for row in range(-1, ROWS):
        for column in range(-1, COLUMNS):
            if (row + column) % 2:
                continue
            x = np.concatenate((step, np.ones(9), step[::-1], np.zeros(9))) + column
            y = np.concatenate((np.zeros(9), step, np.ones(9), step[::-1])) + row
            edge = np.stack((x, y, np.zeros(36)), 1).reshape(-1, 1, 3) * 0.04
            project = cv2.fisheye.projectPoints if lens.lens == "fisheye" else cv2.projectPoints
            given = (np.array(turn), np.array(shift), matrix, k)
            pixels = project(edge, *given)[0].reshape(-1, 2)
            cv2.fillPoly(picture, [np.int32(np.round(pixels * 64))], 20, cv2.LINE_AA, 6)
    return cv2.cvtColor(picture, cv2.COLOR_GRAY2BGR)


@pytest.mark.parametrize("kind", list(LENSES))
def test_the_lens_of_rendered_boards(
    tmp_path: Path, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, dice = tmp_path / "boards", np.random.default_rng(1)
    folder.mkdir()
    for i in range(18):
        turn = tuple(dice.uniform(-0.5, 0.5, 3))
        shift = (-0.12 + dice.uniform(-0.12, 0.12), -0.08 + dice.uniform(-0.08, 0.08),
                 dice.uniform(0.34, 0.5))  # fmt: skip
        cv2.imwrite(str(folder / f"{i:02}.png"), board(LENSES[kind], turn, shift))
    out, record = tmp_path / "camera.yaml", tmp_path / "record.json"
    command = ["calibrate", "board", str(folder), "--board", f"{COLUMNS}x{ROWS}"]
    command += ["--square-mm", "40", "--out", str(out), "--json", str(record)]
    assert main(command + (["--fisheye"] if kind == "fisheye" else [])) == 0
    found, true = read_camera_file(out).geometry, LENSES[kind]
    assert "residual" in capsys.readouterr().out
    residual = json.loads(record.read_text())
    assert residual["rms_px"] < 0.4 and len(residual["per_picture_px"]) >= 10
    assert found.lens == kind
    assert abs(found.fx - true.fx) < 6 and abs(found.fy - true.fy) < 6
    assert abs(found.cx - true.cx) < 6 and abs(found.cy - true.cy) < 6
    assert abs(found.k1 - true.k1) < 0.05


def test_too_few_boards_are_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((480, 640, 3), np.uint8))
    out = tmp_path / "camera.yaml"
    command = ["calibrate", "board", str(tmp_path), "--board", "7x5", "--square-mm", "40"]
    assert main([*command, "--out", str(out)]) == 2
    assert "0 boards of 7x5 inner corners in 1 pictures" in capsys.readouterr().err
    assert not out.exists()


def drive(folder: Path, frames: range, bonnet: bool = False) -> tuple[Path, CameraGeometry, Town]:
    town = Town(3, 640, 480)
    folder.mkdir()
    for index in frames:
        picture = town.frame(index).image.copy()
        if bonnet:
            cv2.ellipse(picture, (320, 520), (300, 100), 0, 0, 360, (40, 30, 30), cv2.FILLED)
        cv2.imwrite(str(folder / f"{index:05}.png"), picture)
    focal = town._camera(0.0).focal_px
    return folder, CameraGeometry(640, 480, focal, focal, 319.5, 239.5), town


def test_the_pitch_of_the_towns_camera(tmp_path: Path) -> None:
    frames = range(300, 540)
    folder, lens, town = drive(tmp_path / "drive", frames)
    path = tmp_path / "camera.yaml"
    write_camera_file(path, CameraFile(lens, "town", frozenset()))
    command = ["calibrate", "horizon", str(folder), "--camera", str(path)]
    assert main([*command, "--height-m", "1.4"]) == 0
    found = read_camera_file(path).geometry
    horizons = [town._camera(index / 30).horizon_px for index in frames]
    true = [math.degrees(math.atan((lens.cy - horizon) / lens.fy)) for horizon in horizons]
    assert abs(found.pitch_deg - float(np.median(true))) < 0.3
    assert all(abs(found.pitch_deg - one) <= found.pitch_uncertainty_deg for one in true)
    assert found.height_m == 1.4 and found.fx == lens.fx


def test_a_standing_vehicle_tells_no_pitch(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, lens, _ = drive(tmp_path / "drive", range(1))
    still = cv2.imread(str(folder / "00000.png"))
    for index in range(1, 70):
        cv2.imwrite(str(folder / f"{index:05}.png"), still)
    path = tmp_path / "camera.yaml"
    write_camera_file(path, CameraFile(lens, "town", frozenset()))
    assert main(["calibrate", "horizon", str(folder), "--camera", str(path)]) == 2
    assert "a straight drive" in capsys.readouterr().err


def test_a_bonnet_is_learned_from_a_drive(tmp_path: Path) -> None:
    folder, lens, _ = drive(tmp_path / "drive", range(0, 1600, 40), bonnet=True)
    path = tmp_path / "camera.yaml"
    placed = CameraFile(replace(lens, height_m=1.4), "town", frozenset({"height_m"}))
    write_camera_file(path, placed)
    assert main(["calibrate", "ego", str(folder), "--camera", str(path), "--every", "1"]) == 0
    found = read_camera_file(path).geometry
    learned, painted = np.zeros((480, 640), np.uint8), np.zeros((480, 640), np.uint8)
    cv2.fillPoly(learned, [np.array(found.ego, np.int32)], 1)
    cv2.ellipse(painted, (320, 520), (300, 100), 0, 0, 360, 1, cv2.FILLED)
    both, either = (learned & painted).sum(), (learned | painted).sum()
    assert both > 0.85 * either and both > 0.95 * painted.sum()
    assert found.height_m == 1.4
