"""Foxglove's standard messages, in a recording and live, read with other libraries."""

from __future__ import annotations

import asyncio
import json
import struct
import threading
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from interop_parts import COLORS, GEOMETRY, VEHICLE, daemon

from roadmask.bridge.foxglove import serve_foxglove
from roadmask.cli.main import main
from roadmask.interop.foxglove_messages import SCHEMAS
from roadmask.recording.reader import Recording
from roadmask.recording.recorder import record

pytest.importorskip("foxglove")


def decoded(schema: bytes, name: str, data: bytes) -> Any:
    """A message by the schema that travelled with it, with Google's own library."""
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

    pool = descriptor_pool.DescriptorPool()
    for file in descriptor_pb2.FileDescriptorSet.FromString(schema).file:
        pool.Add(file)
    kind = message_factory.GetMessageClass(pool.FindMessageTypeByName(name))
    return kind.FromString(data)


LAYOUT = Path(__file__).parents[3] / "edge" / "examples" / "foxglove_layout.json"


def topics_of(config: Any) -> set[str]:
    """Every topic that a panel's configuration names."""
    if isinstance(config, dict):
        return set().union(*map(topics_of, config)).union(*map(topics_of, config.values()))
    return {config} if isinstance(config, str) and config.startswith("/") else set()


def panels_of(tree: Any) -> list[str]:
    if isinstance(tree, str):
        return [tree]
    return panels_of(tree["first"]) + panels_of(tree["second"])


def test_the_layout_shows_every_topic_and_no_other() -> None:
    layout = json.loads(LAYOUT.read_text())
    assert sorted(panels_of(layout["layout"])) == sorted(layout["configById"])
    assert topics_of(layout["configById"]) == set(SCHEMAS)
    shown = {
        panel.partition("!")[0]: {SCHEMAS[topic] for topic in topics_of(config)}
        for panel, config in layout["configById"].items()
        if panel != "Image!preview"
    }
    assert shown == {"Image": {"CompressedImage", "CameraCalibration"}, "3D": {"Grid"},
                     "RosOut": {"Log"}}  # fmt: skip


def check_mask(data: bytes) -> None:
    shown = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    assert shown is not None and shown.shape == (64, 96, 3)
    assert tuple(shown[30, 48, ::-1].tolist()) == COLORS[VEHICLE]


def test_a_recorded_drive_is_read_by_the_mcap_library(tmp_path: Path) -> None:
    from mcap.reader import make_reader

    out = tmp_path / "drive.mcap"
    with daemon(tmp_path / "masks.sock"):
        done = record(
            str(tmp_path / "masks.sock"), out, frames=10, foxglove=True, stop=threading.Event()
        )
    assert done["frames"] == 10
    seen: dict[str, list[Any]] = {}
    with out.open("rb") as file:
        for schema, channel, message in make_reader(file).iter_messages():
            if channel.topic.startswith("/"):
                assert schema is not None and schema.encoding == "protobuf"
                one = decoded(schema.data, schema.name, message.data)
                seen.setdefault(channel.topic, []).append(one)
                stamp = one.timestamp.seconds * 10**9 + one.timestamp.nanos
                assert stamp == message.log_time
    assert {topic: len(found) for topic, found in seen.items()} == {
        "/roadmask/mask": 10,
        "/roadmask/preview": 10,
        "/roadmask/calibration": 10,
        "/roadmask/grid": 10,
        "/roadmask/log": 1,
    }
    assert topics_of(json.loads(LAYOUT.read_text())["configById"]) == set(seen)
    # The frame that the 3D panel looks from is the grid's own.
    assert json.loads(LAYOUT.read_text())["configById"]["3D!grid"]["followTf"] == (
        seen["/roadmask/grid"][0].frame_id
    )
    check_mask(seen["/roadmask/mask"][0].data)
    calibration, grid = seen["/roadmask/calibration"][0], seen["/roadmask/grid"][0]
    assert (calibration.width, calibration.height) == (96, 64)
    assert calibration.K[0] == GEOMETRY.fx and calibration.distortion_model == "plumb_bob"
    cells = np.frombuffer(grid.data, np.uint8).reshape(-1, grid.column_count, 5)[..., 4]
    assert VEHICLE in cells and 1 in cells
    rows, _ = np.nonzero(cells == VEHICLE)  # straight ahead: around y = 0
    assert abs((rows.mean() + 0.5) * grid.cell_size.y + grid.pose.position.y) < 0.5
    assert seen["/roadmask/log"][0].message == "OK"
    with Recording(out) as recording:  # and our own reader finds what it always did
        assert sum(one.mask is not None for one in recording.records()) == 10


def test_a_client_receives_live_masks(tmp_path: Path) -> None:
    websockets = pytest.importorskip("websockets")
    port, stop, up = [0], threading.Event(), threading.Event()

    def ready(chosen: int) -> None:
        port[0] = chosen
        up.set()

    announced = set[str]()

    async def first_mask() -> bytes:
        address = f"ws://127.0.0.1:{port[0]}"
        async with websockets.connect(address, subprotocols=["foxglove.sdk.v1"]) as client:
            async for data in client:
                if isinstance(data, str):
                    told = json.loads(data)
                    for channel in told.get("channels", ()):
                        announced.add(channel["topic"])
                        if channel["topic"] == "/roadmask/mask":
                            assert channel["schemaName"] == "foxglove.CompressedImage"
                            wanted = [{"id": 7, "channelId": channel["id"]}]
                            await client.send(
                                json.dumps({"op": "subscribe", "subscriptions": wanted})
                            )
                elif data[0] == 1:
                    assert struct.unpack_from("<I", data, 1) == (7,)
                    return bytes(data[13:])
        raise AssertionError("the server hung up")

    from foxglove.messages import CompressedImage

    with daemon(tmp_path / "masks.sock"):
        serving = threading.Thread(
            target=serve_foxglove,
            args=(str(tmp_path / "masks.sock"),),
            kwargs={
                "host": "127.0.0.1",
                "port": 0,
                "stop": stop,
                "allow_not_live": True,
                "ready": ready,
            },
        )
        serving.start()
        try:
            assert up.wait(20)
            payload = asyncio.run(asyncio.wait_for(first_mask(), 20))
        finally:
            stop.set()
            serving.join()
    assert announced == set(SCHEMAS)
    schema = CompressedImage.get_schema()
    check_mask(decoded(schema.data, schema.name, payload).data)


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--zenoh", "a", "--foxglove", "127.0.0.1:1"],
        ["--foxglove", "8765"],
        ["--foxglove", "127.0.0.1:99999"],
    ],
)
def test_arguments_that_do_not_go_together(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["bridge", *arguments]) == 2
    assert capsys.readouterr().err.count("\n") == 1
