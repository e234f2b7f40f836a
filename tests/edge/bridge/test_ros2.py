"""``roadmask bridge --ros2`` as nodes of rmw_zenoh see it: router, tokens, keys, bytes.

No ROS can be installed here: Zenoh's own sessions stand for router and node, configured as
rmw_zenoh configures them, and another library (mcap-ros2-support) reads the CDR.
"""

from __future__ import annotations

import json
import struct
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bridge_parts import BRIDGE, free_endpoint
from interop_parts import GEOMETRY, VEHICLE, daemon
from stream_parts import process, wait_for

from roadmask.bridge.ros2 import serve_ros2
from roadmask.cli.main import main
from roadmask.errors import ConfigError
from roadmask.interop.ros2_messages import TYPES, require_ros2
from roadmask.stream.modes import Flag
from roadmask.stream.subscribe.subscriber import Subscriber
from roadmask.system.clock import clock_mapping

pytest.importorskip("zenoh", reason="the extra [zenoh] is not installed")
pytest.importorskip("rosbags", reason="the extra [ros2] is not installed")
import xxhash
import zenoh

DOMAIN, NAMESPACE = 3, "/car1/front"
QOS = "2::,1:,:,:,,"
# As `ros2 topic info -v` of a running ROS 2 tells them; copied from public logs, not computed.
HASHES = {
    "sensor_msgs/msg/Image": "d31d41a9a4c4bc8eae9be757b0beed306564f7526c88ea6a4588fb9582527d47",
    "sensor_msgs/msg/CameraInfo":
        "b3dfd68ff46c9d56c80fd3bd4ed22c7a4ddce8c8348f2f59c299e73118e7e275",
    "diagnostic_msgs/msg/DiagnosticArray":
        "5a8a36efb05fb25070fa0fb3810290c0e6cd4862b54a8fb975a1ee8dc55a333e",
    "nav_msgs/msg/OccupancyGrid":
        "8d348150c12913a31ee0ec170fbf25089e4745d17035792a1ba94d6f0bc0cfc7",
}  # fmt: skip


def session(mode: str, **settings: Any) -> Any:
    config = zenoh.Config()
    config.insert_json5("mode", json.dumps(mode))
    config.insert_json5("scouting/multicast/enabled", "false")
    for name, value in settings.items():
        config.insert_json5(name.replace("_", "/"), json.dumps(value))
    return zenoh.open(config)


@contextmanager
def graph(path: Path, *more: str) -> Iterator[tuple[Any, dict[str, list[Any]]]]:
    """A node's session beside a bridge, and what reaches it by key."""
    endpoint, samples = free_endpoint(), dict[str, list[Any]]()
    arguments = ("bridge", "--socket", path, "--ros2", NAMESPACE, "--domain", DOMAIN)
    with (
        session("router", listen_endpoints=[endpoint]),
        session("peer", connect_endpoints=[endpoint], listen_endpoints=["tcp/127.0.0.1:0"]) as node,
        process(BRIDGE, *arguments, "--connect", endpoint, *more),
    ):
        node.declare_subscriber(
            f"{DOMAIN}/**",
            lambda sample: samples.setdefault(str(sample.key_expr), []).append(sample),
        )
        yield node, samples


def tokens(node: Any) -> list[str]:
    replies = node.liveliness().get(f"@ros2_lv/{DOMAIN}/**", timeout=1.0)
    return sorted(str(reply.ok.key_expr) for reply in replies if reply.ok is not None)


def decoded(kind: str, data: bytes) -> Any:
    from mcap_ros2._dynamic import generate_dynamic

    text = require_ros2().generate_msgdef(kind, ros_version=2)[0]
    return generate_dynamic(kind, text)[kind](data)


def of_type(samples: dict[str, list[Any]], kind: str) -> list[Any]:
    return [one for key, found in samples.items() if HASHES[kind] in key for one in found]


def stamps_ns(samples: dict[str, list[Any]]) -> list[int]:
    kind = "sensor_msgs/msg/Image"
    headers = [decoded(kind, one.payload.to_bytes()).header for one in of_type(samples, kind)]
    return [header.stamp.sec * 10**9 + header.stamp.nanosec for header in headers]


def test_a_node_finds_and_reads_every_topic(tmp_path: Path) -> None:
    path = tmp_path / "masks.sock"
    with daemon(path, Flag.NONE), graph(path) as (node, samples):
        wait_for(lambda: len(samples) == 4 and min(map(len, samples.values())) >= 2, "four topics")
        found = wait_for(lambda: (seen := tokens(node)) and len(seen) == 5 and seen, "the tokens")
        with Subscriber(path) as subscriber:
            mask = subscriber.receive(20)
        assert mask is not None
        taken_ns = clock_mapping().from_boottime(mask.capture_timestamp_ns)
        wait_for(lambda: stamps_ns(samples)[-1] >= taken_ns - 1_000_000, "that mask")
    ours = {kind: of_type(samples, kind) for kind in HASHES}
    real_ns = time.time_ns()

    # Keys and tokens, part by part, as the design documentation has them.
    publishers = {}
    zids = {token.split("/")[2] for token in found}
    assert len(zids) == 1
    for token in found:
        admin, domain, _, node_id, entity, kind, *rest = token.split("/")
        assert (admin, domain, node_id) == ("@ros2_lv", str(DOMAIN), "0")
        assert rest[:3] == ["%", "%car1%front", "roadmask"]
        if kind == "NN":
            assert entity == "0" and len(rest) == 3
        else:
            assert kind == "MP" and entity != "0" and rest[6] == QOS
            publishers[rest[3].replace("%", "/")] = rest[4], rest[5], token
    assert set(publishers) == {
        "/car1/front/mask", "/car1/front/camera_info", "/car1/front/grid", "/diagnostics"
    }  # fmt: skip
    for topic, (dds, told, token) in publishers.items():
        key = f"{DOMAIN}{topic}/{dds}/{told}"
        kind = dds.replace("::dds_", "").replace("::", "/").rstrip("_")
        assert told == f"RIHS01_{HASHES[kind]}"
        gid = xxhash.xxh3_128_digest(token.encode())[::-1]  # rmw_zenoh's has the low half first
        last = 0
        for sample in samples[key]:
            sequence, sent_ns, length, told_gid = struct.unpack(
                "<qqB16s", sample.attachment.to_bytes()
            )
            assert length == 16 and told_gid == gid
            assert sequence > last  # one may be lost: best effort
            assert 0 <= real_ns - sent_ns < 60e9
            last = sequence

    image = decoded("sensor_msgs/msg/Image", ours["sensor_msgs/msg/Image"][-1].payload.to_bytes())
    assert (image.width, image.height, image.step) == (96, 64, 96)
    assert (image.encoding, image.is_bigendian, image.header.frame_id) == ("mono8", 0, "camera")
    pixels = np.frombuffer(bytes(image.data), np.uint8).reshape(64, 96)
    assert np.array_equal(pixels, mask.pixels)
    stamps = stamps_ns(samples)
    assert stamps == sorted(set(stamps))
    assert min(abs(stamp - taken_ns) for stamp in stamps) < 1_000_000  # of one clock by another

    camera = decoded(
        "sensor_msgs/msg/CameraInfo", ours["sensor_msgs/msg/CameraInfo"][0].payload.to_bytes()
    )
    g = GEOMETRY
    assert (camera.width, camera.height, camera.distortion_model) == (96, 64, "plumb_bob")
    assert list(camera.d) == [0.0] * 5 and list(camera.r) == [1, 0, 0, 0, 1, 0, 0, 0, 1]
    assert list(camera.k) == [g.fx, 0, g.cx, 0, g.fy, g.cy, 0, 0, 1]
    assert list(camera.p) == [g.fx, 0, g.cx, 0, 0, g.fy, g.cy, 0, 0, 0, 1, 0]
    assert (camera.binning_x, camera.binning_y, camera.roi.width, camera.roi.do_rectify) == (
        0, 0, 0, False,
    )  # fmt: skip

    grid = decoded(
        "nav_msgs/msg/OccupancyGrid", ours["nav_msgs/msg/OccupancyGrid"][0].payload.to_bytes()
    )
    cells = np.array(grid.data, np.int8).reshape(grid.info.height, grid.info.width)
    assert (grid.info.width, grid.info.height, grid.header.frame_id) == (160, 80, "vehicle")
    assert grid.info.resolution == 0.25 and grid.info.origin.orientation.w == 1
    assert (grid.info.origin.position.x, grid.info.origin.position.y) == (0, -10)
    assert set(np.unique(cells).tolist()) == {-1, 0, 100}
    rows, _ = np.nonzero(cells == 100)  # straight ahead: around y = 0
    assert abs((rows.mean() + 0.5) * grid.info.resolution + grid.info.origin.position.y) < 0.5

    said = decoded(
        "diagnostic_msgs/msg/DiagnosticArray",
        ours["diagnostic_msgs/msg/DiagnosticArray"][-1].payload.to_bytes(),
    )
    (status,) = said.status
    values = {one.key: one.value for one in status.values}
    assert (status.level, status.name, status.message) == (0, "roadmask: masks", "OK")
    assert values["mode"] == "OK" and values["reasons"] == "NONE" and values["flags"] == "PREVIEW"
    assert 0 < int(values["stamp_bound_ns"]) < 1_000_000_000
    assert VEHICLE in pixels


def test_what_the_sdk_refuses_is_not_published(tmp_path: Path) -> None:
    path = tmp_path / "masks.sock"
    kind = "diagnostic_msgs/msg/DiagnosticArray"
    with daemon(path, Flag.SYNTHETIC), graph(path) as (_, samples):

        def refused() -> Any:
            for one in of_type(samples, kind):
                (status,) = decoded(kind, one.payload.to_bytes()).status
                if "not live" in status.message:
                    return status
            return None

        status = wait_for(refused, "a diagnostic that says why")
        assert status.level == 2
        assert {one.key: one.value for one in status.values}["no_mask"] == "NOT_LIVE"
        assert not of_type(samples, "sensor_msgs/msg/Image")


def test_it_is_published_where_the_user_says_so(tmp_path: Path) -> None:
    path = tmp_path / "masks.sock"
    with daemon(path, Flag.SYNTHETIC), graph(path, "--allow-not-live") as (_, samples):
        wait_for(lambda: of_type(samples, "sensor_msgs/msg/Image"), "a synthetic mask")


def test_the_types_are_those_of_a_running_ros() -> None:
    for kind in TYPES.values():
        assert require_ros2().hash_rihs01(kind) == f"RIHS01_{HASHES[kind]}"


@pytest.mark.parametrize("package", ["rosbags.typesys", "xxhash"])
def test_without_a_package_the_extra_is_named(
    package: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    require_ros2.cache_clear()
    with pytest.raises(ConfigError, match=r"pip install 'roadmask\[ros2\]'"):
        serve_ros2(str(tmp_path / "s"), listen=[free_endpoint()], stop=threading.Event())


@pytest.mark.parametrize(
    "arguments",
    [
        ["--ros2", "front"],
        ["--ros2", "/car 1"],
        ["--ros2", "/car//front"],
        ["--ros2", "/1car"],
        ["--ros2", "--domain", "233"],
        ["--ros2", "--zenoh", "a"],
    ],
)
def test_arguments_that_do_not_go_together(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["bridge", *arguments]) == 2
    assert "roadmask" in capsys.readouterr().err.splitlines()[-1]
