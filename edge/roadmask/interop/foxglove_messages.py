"""Foxglove's standard schemas (extra ``[foxglove]``): pictures, calibration, grid, log."""

from __future__ import annotations

from typing import Any

import numpy as np

from roadmask.errors import ConfigError
from roadmask.interop.view import (
    CAMERA_FRAME,
    VEHICLE_FRAME,
    View,
    coloured_png,
    mode_text,
    preview_jpeg,
)
from roadmask.stream.camera_geometry import FISHEYE, CameraGeometry
from roadmask.stream.modes import Mode, Reason
from roadmask.stream.products import occupancy

MASK, PREVIEW, CALIBRATION, GRID, LOG = (
    "/roadmask/mask",
    "/roadmask/preview",
    "/roadmask/calibration",
    "/roadmask/grid",
    "/roadmask/log",
)
SCHEMAS = {
    MASK: "CompressedImage",
    PREVIEW: "CompressedImage",
    CALIBRATION: "CameraCalibration",
    GRID: "Grid",
    LOG: "Log",
}
_LEVELS = {
    Mode.OK: "Info",
    Mode.DEGRADED: "Warning",
    Mode.STALE: "Error",
    Mode.FAULT: "Error",
}


def require_foxglove() -> Any:
    """Foxglove's messages.

    Raises:
        ConfigError: the extra is missing.
    """
    try:
        from foxglove import messages
    except ImportError as error:
        raise ConfigError(
            f"Foxglove's messages need the package foxglove-sdk ({error}): "
            "pip install 'roadmask[foxglove]'"
        ) from error
    return messages


def frame_messages(view: View) -> dict[str, Any]:
    """By topic, what is told of a frame; nothing where there is nothing to tell."""
    m = require_foxglove()
    stamp = _stamp(m, view.time_ns)
    found = {MASK: _picture(m, stamp, "png", coloured_png(view))}
    jpeg = preview_jpeg(view)
    if jpeg is not None:
        found[PREVIEW] = _picture(m, stamp, "jpeg", jpeg)
    if view.geometry is not None:
        found[CALIBRATION] = _calibration(m, stamp, view.geometry)
        grid = occupancy(view)
        if grid.known:
            found[GRID] = _grid(m, stamp, grid.cells, grid.cell_m, grid.aside_m, view)
    return found


def log_message(time_ns: int, mode: Mode, reasons: Reason) -> Any:
    """That the mode is this from now on."""
    m = require_foxglove()
    return m.Log(
        timestamp=_stamp(m, time_ns),
        level=getattr(m.LogLevel, _LEVELS[mode]),
        message=mode_text(mode, reasons),
        name="roadmask",
    )


def _stamp(m: Any, time_ns: int) -> Any:
    return m.Timestamp(time_ns // 10**9, time_ns % 10**9)


def _picture(m: Any, stamp: Any, form: str, data: bytes) -> Any:
    return m.CompressedImage(timestamp=stamp, frame_id=CAMERA_FRAME, format=form, data=data)


def _calibration(m: Any, stamp: Any, g: CameraGeometry) -> Any:
    fisheye = g.lens == FISHEYE
    return m.CameraCalibration(
        timestamp=stamp,
        frame_id=CAMERA_FRAME,
        width=int(g.width),
        height=int(g.height),
        distortion_model="kannala_brandt" if fisheye else "plumb_bob",
        D=[g.k1, g.k2, g.k3, g.k4] if fisheye else [g.k1, g.k2, g.p1, g.p2, g.k3],
        K=[g.fx, 0.0, g.cx, 0.0, g.fy, g.cy, 0.0, 0.0, 1.0],
        R=[1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0],
        P=[g.fx, 0.0, g.cx, 0.0, 0.0, g.fy, g.cy, 0.0, 0.0, 0.0, 1.0, 0.0],
    )


def _grid(
    m: Any, stamp: Any, cells: np.ndarray[Any, Any], cell_m: float, aside_m: float, view: View
) -> Any:
    # Foxglove's rows lie along y: from the right to the left, each from the vehicle on.
    along = cells[:, ::-1].T
    table = np.zeros((256, 5), np.uint8)
    table[: len(view.colors_rgb), :3] = view.colors_rgb
    table[:, 3], table[:, 4] = 200, np.arange(256)
    table[0, 3] = 0  # unseen: nothing is drawn
    kind = m.PackedElementFieldNumericType.Uint8
    names = ("red", "green", "blue", "alpha", "category")
    turned = m.Quaternion(x=0.0, y=0.0, z=0.0, w=1.0)
    # The left edge is at +aside; the right one where the last column ends.
    corner = m.Vector3(x=0.0, y=aside_m - along.shape[0] * cell_m, z=0.0)
    return m.Grid(
        timestamp=stamp,
        frame_id=VEHICLE_FRAME,
        pose=m.Pose(position=corner, orientation=turned),
        column_count=along.shape[1],
        cell_size=m.Vector2(x=cell_m, y=cell_m),
        row_stride=5 * along.shape[1],
        cell_stride=5,
        fields=[m.PackedElementField(name=n, offset=i, type=kind) for i, n in enumerate(names)],
        data=np.ascontiguousarray(table[along]).tobytes(),
    )
