"""ROS 2's standard messages as CDR bytes (extra ``[ros2]``): image, camera, grid, diagnostics."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from roadmask.errors import ConfigError
from roadmask.interop.view import CAMERA_FRAME, VEHICLE_FRAME, View, mode_text
from roadmask.stream.camera_geometry import FISHEYE, CameraGeometry
from roadmask.stream.modes import Flag, Mode, NoMask, names
from roadmask.stream.products import Occupancy, occupancy
from roadmask.stream.products.occupancy import FREE, UNSEEN
from roadmask.stream.protocol import FrameHeader

# Below the stream's namespace; diagnostics go where ROS's aggregator looks for all of them.
MASK, CAMERA_INFO, GRID, DIAGNOSTICS = "mask", "camera_info", "grid", "/diagnostics"
TYPES = {
    MASK: "sensor_msgs/msg/Image",
    CAMERA_INFO: "sensor_msgs/msg/CameraInfo",
    GRID: "nav_msgs/msg/OccupancyGrid",
    DIAGNOSTICS: "diagnostic_msgs/msg/DiagnosticArray",
}
DIAGNOSE_NS = 1_000_000_000  # as ROS's diagnostics are used to come; a change is told at once
_LEVELS = {Mode.OK: 0, Mode.DEGRADED: 1, Mode.FAULT: 2, Mode.STALE: 3}
_ERROR, _STALE = 2, 3
_AGES = (NoMask.STALE, NoMask.SILENT, NoMask.TOO_OLD)
_OCCUPIED, _UNKNOWN = 100, -1


@lru_cache(maxsize=1)
def require_ros2() -> Any:
    """The types of ROS 2 Jazzy; these four are the same in every later one.

    Raises:
        ConfigError: the extra is missing.
    """
    try:
        from rosbags.typesys import Stores, get_typestore
    except ImportError as error:
        raise ConfigError(
            f"ROS 2's messages need the package rosbags ({error}): pip install 'roadmask[ros2]'"
        ) from error
    return get_typestore(Stores.ROS2_JAZZY)


def topic_of(name: str, namespace: str) -> str:
    """The full name of a topic, e.g. ``/roadmask/mask``."""
    return name if name.startswith("/") else f"{namespace.rstrip('/')}/{name}"


def frame_messages(view: View) -> dict[str, bytes]:
    """What is told of a frame by topic; no camera and no grid where there is no geometry."""
    found = {MASK: _image(view)}
    if view.geometry is not None:
        found[CAMERA_INFO] = _camera_info(view, view.geometry)
        grid = occupancy(view)
        if grid.known:
            found[GRID] = _grid(view, grid)
    return found


def diagnostics(
    time_ns: int,
    header: FrameHeader | None,
    no_mask: NoMask = NoMask.NONE,
    no_mask_text: str = "",
    bound_ns: int | None = None,
) -> bytes:
    """Mode, reasons and what a reader has to know beside the mask.

    Args:
        time_ns: now, CLOCK_REALTIME.
        header: the stream's last message, or None without a stream.
        no_mask: why there is no mask, NONE if there is one: then the level is the mode's.
        no_mask_text: the same as a sentence.
        bound_ns: how far off a stamp may be; None: not told.
    """
    values = {} if header is None else _values(header)
    level, message = _ERROR, no_mask_text
    if no_mask is not NoMask.NONE:
        values["no_mask"] = no_mask.name
        level = _STALE if no_mask in _AGES else _ERROR
    elif header is not None:
        level, message = _LEVELS[header.mode], mode_text(header.mode, header.reasons)
    if bound_ns is not None:
        values["stamp_bound_ns"] = str(bound_ns)
    pair = _type("diagnostic_msgs/msg/KeyValue")
    status = _type("diagnostic_msgs/msg/DiagnosticStatus")(
        level=level,
        name="roadmask: masks",
        message=message,
        hardware_id="roadmask",
        values=[pair(key=key, value=value) for key, value in values.items()],
    )
    return _cdr(DIAGNOSTICS, header=_header(time_ns, ""), status=[status])


def _values(header: FrameHeader) -> dict[str, str]:
    return {
        "mode": header.mode.name,
        "reasons": names(header.reasons),
        "flags": names(Flag(header.flag_bits)),
        "stream_id": f"{header.stream_id:016x}",
        "sequence": str(header.sequence),
        "skipped_total": str(header.skipped_total),
        "engine_restarts": str(header.engine_restarts),
    }


def _image(view: View) -> bytes:
    height, width = view.pixels.shape
    return _cdr(
        MASK,
        header=_header(view.time_ns, CAMERA_FRAME),
        height=height,
        width=width,
        encoding="mono8",
        is_bigendian=0,
        step=width,
        data=np.ascontiguousarray(view.pixels).ravel(),
    )


def _camera_info(view: View, g: CameraGeometry) -> bytes:
    """Of the camera as the mask shows it: ROS wants it in the image's own pixels."""
    (scale_x, scale_y), (offset_x, offset_y) = view.scale, view.offset
    fx, fy = g.fx / scale_x, g.fy / scale_y
    cx, cy = (g.cx - offset_x) / scale_x, (g.cy - offset_y) / scale_y
    fisheye = g.lens == FISHEYE
    lens = [g.k1, g.k2, g.k3, g.k4] if fisheye else [g.k1, g.k2, g.p1, g.p2, g.k3]
    nothing = _type("sensor_msgs/msg/RegionOfInterest")(
        x_offset=0, y_offset=0, height=0, width=0, do_rectify=False
    )
    return _cdr(
        CAMERA_INFO,
        header=_header(view.time_ns, CAMERA_FRAME),
        height=view.pixels.shape[0],
        width=view.pixels.shape[1],
        distortion_model="equidistant" if fisheye else "plumb_bob",
        d=np.array(lens),
        k=np.array([fx, 0, cx, 0, fy, cy, 0, 0, 1]),
        r=np.eye(3).ravel(),
        p=np.array([fx, 0, cx, 0, 0, fy, cy, 0, 0, 0, 1, 0]),
        binning_x=0,
        binning_y=0,
        roi=nothing,
    )


def _grid(view: View, grid: Occupancy) -> bytes:
    # Rows lie along y, from the right to the left, each from the vehicle on.
    along = grid.cells[:, ::-1].T
    values = np.where(along == UNSEEN, _UNKNOWN, np.where(along == FREE, 0, _OCCUPIED))
    right_m = grid.aside_m - along.shape[0] * grid.cell_m
    corner = _type("geometry_msgs/msg/Point")(x=0.0, y=right_m, z=0.0)
    turn = _type("geometry_msgs/msg/Quaternion")(x=0.0, y=0.0, z=0.0, w=1.0)
    header = _header(view.time_ns, VEHICLE_FRAME)
    info = _type("nav_msgs/msg/MapMetaData")(
        map_load_time=header.stamp,
        resolution=grid.cell_m,
        width=along.shape[1],
        height=along.shape[0],
        origin=_type("geometry_msgs/msg/Pose")(position=corner, orientation=turn),
    )
    return _cdr(GRID, header=header, info=info, data=values.astype(np.int8).ravel())


def _header(time_ns: int, frame: str) -> Any:
    seconds, rest = divmod(time_ns, 10**9)
    stamp = _type("builtin_interfaces/msg/Time")(sec=seconds, nanosec=rest)
    return _type("std_msgs/msg/Header")(stamp=stamp, frame_id=frame)


def _type(name: str) -> Any:
    return require_ros2().types[name]


def _cdr(topic: str, **fields: Any) -> bytes:
    name = TYPES[topic]
    return bytes(require_ros2().serialize_cdr(_type(name)(**fields), name))
