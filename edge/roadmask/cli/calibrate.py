"""``roadmask calibrate``: the camera file, from a chessboard, a straight drive, any drive."""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from roadmask.system.ranges import at_least, between, unusable

if TYPE_CHECKING:
    from roadmask.sources import Frame

CALIBRATE_EXAMPLES = """\
examples:
  roadmask calibrate board pictures/ --board 9x6 --square-mm 25 --out camera.yaml
  roadmask calibrate board boards.mp4 --board 9x6 --square-mm 25 --fisheye --out camera.yaml
  roadmask calibrate horizon straight.mp4 --camera camera.yaml --height-m 1.35
  roadmask calibrate ego drive.mp4 --camera camera.yaml
'roadmask run' takes the file as [camera] file = "camera.yaml" (docs/products.md).
"""


def add_calibrate(parser: argparse.ArgumentParser) -> None:
    """The arguments of ``roadmask calibrate``."""
    what = parser.add_subparsers(dest="what", required=True, metavar="board|horizon|ego")
    board = what.add_parser("board", help="the lens, from a chessboard")
    board.add_argument("source", metavar="SOURCE", help="folder of pictures, or a video")
    board.add_argument("--board", type=_board, required=True, metavar="CxR", help="inner corners")
    board.add_argument("--square-mm", type=between(1.0, 1000.0), required=True, metavar="MM")
    board.add_argument("--fisheye", action="store_true", help="no pinhole")
    board.add_argument("--name", default="camera", help="of the camera, in the file")
    board.add_argument("--out", type=Path, required=True, metavar="FILE")
    board.set_defaults(body=_calibrate_board)
    horizon = what.add_parser("horizon", help="pitch and yaw, from a straight drive")
    ego = what.add_parser("ego", help="one's own vehicle in the picture, from any drive")
    for part, body in ((horizon, _calibrate_horizon), (ego, _calibrate_ego)):
        part.add_argument("source", metavar="SOURCE", help="video, or folder of pictures")
        part.add_argument("--camera", type=Path, required=True, metavar="FILE", help="its lens")
        part.add_argument("--out", type=Path, metavar="FILE", help="default: the same file")
        part.set_defaults(body=body)
    horizon.add_argument("--height-m", type=between(0.1, 20.0), metavar="M", help="above the road")
    horizon.add_argument("--frames", type=at_least(1), default=600, metavar="N", help="at most")
    ego.add_argument("--every", type=at_least(1), default=15, metavar="N", help="picture of N")
    for part in (board, horizon, ego):
        part.add_argument("--json", type=Path, metavar="FILE", help="write what was found")


def _board(text: str) -> tuple[int, int]:
    columns, mark, rows = text.partition("x")
    if mark and columns.isdecimal() and rows.isdecimal() and int(columns) > 2 < int(rows):
        return int(columns), int(rows)
    raise unusable(text, "inner corners such as 9x6, 3 or more a side")


@contextmanager
def _frames(uri: str, every: int = 1, most: int | None = None) -> Iterator[Iterator[Frame]]:
    from roadmask.sources import open_source

    # Files give every picture; a town says of itself how fast it goes.
    plain = "?" not in uri and ":" not in uri
    with open_source(f"{uri}?realtime=0" if plain else uri) as source:
        yield itertools.islice(source, 0, most and most * every, every)


def _calibrate_board(options: argparse.Namespace) -> int:
    from roadmask.calibration.camera_file import CameraFile, write_camera_file
    from roadmask.calibration.chessboard import calibrate
    from roadmask.system.files import check_writable, write_json

    check_writable(options.out)
    with _frames(options.source) as frames:
        found = calibrate(frames, options.board, options.square_mm / 1000, fisheye=options.fisheye)
    write_camera_file(options.out, CameraFile(found.geometry, options.name, frozenset()))
    for number, error in found.per_picture_px.items():
        print(f"picture {number:5}  {error:.3f} px")
    print(
        f"{len(found.per_picture_px)} boards in {found.frames} pictures, "
        f"residual {found.rms_px:.3f} px (root mean square): {options.out}"
    )
    if options.json:
        record = {"rms_px": found.rms_px, "frames": found.frames, "file": str(options.out)}
        write_json(options.json, record | {"per_picture_px": found.per_picture_px})
    return 0


def _calibrate_horizon(options: argparse.Namespace) -> int:
    from roadmask.calibration.camera_file import (
        read_camera_file,
        with_mounting,
        write_camera_file,
    )
    from roadmask.calibration.horizon import find_horizon
    from roadmask.system.files import write_json

    camera = read_camera_file(options.camera)
    with _frames(options.source, most=options.frames) as frames:
        found = find_horizon(frames, camera.geometry)
    given = {
        "pitch_deg": round(found.pitch_deg, 3),
        "yaw_deg": round(found.yaw_deg, 3),
        "pitch_uncertainty_deg": round(found.pitch_uncertainty_deg, 3),
    }
    if options.height_m is not None:
        given["height_m"] = options.height_m
    out = options.out or options.camera
    write_camera_file(out, with_mounting(camera, given))
    print(
        f"pitch {found.pitch_deg:.2f} ± {found.pitch_uncertainty_deg:.2f} degrees, yaw "
        f"{found.yaw_deg:.2f}, from {found.pairs} pairs in {found.frames} pictures: {out}"
    )
    if options.json:
        write_json(options.json, {**given, "pairs": found.pairs, "frames": found.frames})
    return 0


def _calibrate_ego(options: argparse.Namespace) -> int:
    from roadmask.calibration.camera_file import read_camera_file, write_camera_file
    from roadmask.calibration.ego import find_ego
    from roadmask.system.files import write_json

    camera = read_camera_file(options.camera)
    with _frames(options.source, options.every) as frames:
        corners = find_ego(frames)
    out = options.out or options.camera
    write_camera_file(out, replace(camera, geometry=replace(camera.geometry, ego=corners)))
    print(f"{len(corners)} corners of one's own vehicle: {out}")
    if options.json:
        write_json(options.json, {"ego_mask": [list(corner) for corner in corners]})
    return 0
