"""A lens from pictures of a chessboard, by OpenCV."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from roadmask.errors import DataError
from roadmask.sources import Frame
from roadmask.stream.camera_geometry import FISHEYE, PINHOLE, CameraGeometry

_FEWEST, _MOST = 5, 60
_MOVED = 0.02  # of the picture's width: boards that lie closer together say the same twice
_SUBPIXEL = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_COUNT, 30, 1e-3)

Points = Any  # (N, 2) or (N, 3) float32: OpenCV's own types differ from release to release


@dataclass(frozen=True)
class Calibration:
    """A lens, and how well it explains the boards.

    Attributes:
        geometry: the lens alone.
        rms_px: root mean square of all corners' distances.
        per_picture_px: the same of each board, by the number of its frame.
        frames: how many pictures were looked at.
    """

    geometry: CameraGeometry
    rms_px: float
    per_picture_px: dict[int, float]
    frames: int


def calibrate(
    frames: Iterable[Frame], board: tuple[int, int], square_m: float, *, fisheye: bool = False
) -> Calibration:
    """The lens that saw the boards.

    Args:
        frames: pictures; those without a whole board are passed over.
        board: inner corners, (columns, rows).
        square_m: side of a square.
        fisheye: OpenCV's fisheye model; else a pinhole with k1, k2 and k3.

    Raises:
        DataError: under 5 boards, sizes that differ, or no lens explains them.
    """
    found: dict[int, Points] = {}
    size, count = (0, 0), 0
    for count, frame in enumerate(frames, 1):
        grey: Any = cv2.cvtColor(frame.image, cv2.COLOR_BGR2GRAY)
        if size not in ((0, 0), grey.shape[::-1]):
            raise DataError(f"picture {count} is {grey.shape[1]}x{grey.shape[0]} px, not {size}")
        size = grey.shape[1], grey.shape[0]
        corners = _corners(grey, board)
        if corners is not None and _is_new(corners, found.values(), size[0]):
            found[count] = corners
        if len(found) == _MOST:
            break
    if len(found) < _FEWEST:
        raise DataError(
            f"{len(found)} boards of {board[0]}x{board[1]} inner corners in {count} pictures; "
            f"expected {_FEWEST} or more, each in another place"
        )
    plane = np.zeros((board[0] * board[1], 3), np.float32)
    plane[:, :2] = np.mgrid[: board[0], : board[1]].T.reshape(-1, 2) * square_m
    try:
        return (_fisheye if fisheye else _pinhole)(plane, found, size, count)
    except cv2.error as error:
        raise DataError(f"no lens explains these boards: {error.err}") from error


def _corners(grey: Any, board: tuple[int, int]) -> Points | None:
    fast = cv2.CALIB_CB_ADAPTIVE_THRESH | cv2.CALIB_CB_NORMALIZE_IMAGE | cv2.CALIB_CB_FAST_CHECK
    whole, corners = cv2.findChessboardCorners(grey, board, flags=fast)
    if not whole:
        return None
    fine: Points = cv2.cornerSubPix(grey, corners, (5, 5), (-1, -1), _SUBPIXEL)
    return fine.reshape(-1, 2)


def _is_new(corners: Points, known: Iterable[Points], width: int) -> bool:
    return all(np.abs(corners - other).mean() > _MOVED * width for other in known)


def _pinhole(
    plane: Points, found: dict[int, Points], size: tuple[int, int], count: int
) -> Calibration:
    boards = list(found.values())
    rms, matrix, k, turns, shifts = cv2.calibrateCamera(
        [plane] * len(boards), boards, size, None, None, flags=cv2.CALIB_ZERO_TANGENT_DIST
    )
    errors = {}
    for number, seen, turn, shift in zip(found, boards, turns, shifts, strict=True):
        projected = cv2.projectPoints(plane, turn, shift, matrix, k)[0].reshape(-1, 2)
        errors[number] = float(np.sqrt(((projected - seen) ** 2).sum(1).mean()))
    k1, k2, _, _, k3 = k.ravel()[:5].tolist()
    lens = CameraGeometry(*size, *_focal(matrix), k1=k1, k2=k2, k3=k3, lens=PINHOLE)
    return Calibration(lens, float(rms), errors, count)


def _fisheye(
    plane: Points, found: dict[int, Points], size: tuple[int, int], count: int
) -> Calibration:
    boards = [seen.reshape(1, -1, 2).astype(np.float64) for seen in found.values()]
    points = [plane.reshape(1, -1, 3).astype(np.float64)] * len(boards)
    matrix: Any = np.zeros((3, 3))
    k: Any = np.zeros((4, 1))
    names = cv2 if hasattr(cv2, "CALIB_RECOMPUTE_EXTRINSIC") else cv2.fisheye  # since OpenCV 5
    flags = names.CALIB_RECOMPUTE_EXTRINSIC | names.CALIB_FIX_SKEW
    rms, matrix, k, turns, shifts = cv2.fisheye.calibrate(
        points, boards, size, matrix, k, flags=flags
    )
    errors = {}
    for number, seen, turn, shift in zip(found, boards, turns, shifts, strict=True):
        projected = cv2.fisheye.projectPoints(points[0], turn, shift, matrix, k)[0]
        errors[number] = float(np.sqrt(((projected - seen) ** 2).sum(-1).mean()))
    k1, k2, k3, k4 = k.ravel().tolist()
    lens = CameraGeometry(*size, *_focal(matrix), k1=k1, k2=k2, k3=k3, k4=k4, lens=FISHEYE)
    return Calibration(lens, float(rms), errors, count)


def _focal(matrix: Any) -> tuple[float, float, float, float]:
    m = matrix.tolist()
    return m[0][0], m[1][1], m[0][2], m[1][2]
