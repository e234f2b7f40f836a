"""``[camera]``: what is told travels with every mask, and what cannot be is refused."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from roadmask import Subscriber, products
from roadmask.calibration.camera_file import CameraFile, write_camera_file
from roadmask.cli.config_file import daemon_config
from roadmask.daemon.camera_model import CameraSettings, camera_model
from roadmask.daemon.pipeline import open_pipeline
from roadmask.errors import ConfigError
from roadmask.stream.camera_geometry import CameraGeometry

LENS = CameraGeometry(640, 480, 500.0, 500.0, 319.5, 239.5, k1=-0.1)


def test_the_geometry_travels_with_every_mask(tmp_path: Path) -> None:
    write_camera_file(tmp_path / "camera.yaml", CameraFile(LENS, "front", frozenset()))
    toml = tmp_path / "daemon.toml"
    toml.write_text(
        f"""[daemon]
source = "synthetic:town?seed=1&width=640&height=480&realtime=0"
socket = "{tmp_path / "masks.sock"}"
no_verify = true
max_age_ms = 60000
frames = 30
[camera]
file = "{tmp_path / "camera.yaml"}"
height_m = 1.4
pitch_deg = 1.5
ego_mask = "0,479 320,470 639,479"
"""
    )
    config = daemon_config(toml, {})
    with (
        Subscriber(config.socket, allow_not_live=True, max_age_ms=60_000) as subscriber,
        open_pipeline(config) as pipeline,
    ):
        running = threading.Thread(target=pipeline.run, args=(threading.Event(),))
        running.start()
        mask = subscriber.receive(timeout_s=20)
        running.join()
    assert mask is not None, subscriber.reason_text
    told = camera_model(config.camera, (640, 480))
    assert told is not None and mask.geometry == told[0]
    assert mask.geometry is not None and mask.geometry.pitch_uncertainty_deg == 1.0
    assert mask.geometry.ego == ((0, 479), (320, 470), (639, 479))
    identity = mask.geometry_identity
    assert identity is not None and identity.name == "front"
    assert identity.digest == mask.geometry.digest
    assert products.free_distance(mask).fault is products.Fault.NONE
    assert products.occupancy(mask).known


def test_nothing_told_is_nothing_known() -> None:
    assert camera_model(CameraSettings()) is None


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"height_m": 1.4}, "tells a place and no lens"),
        ({"field_of_view_deg": 60.0}, "height_m is not told"),
        ({"field_of_view_deg": 60.0, "file": "camera.yaml"}, "expected one of them"),
        ({"file": "nowhere.yaml", "height_m": 1.4}, "No such file"),
        ({"field_of_view_deg": 60.0, "height_m": 1.4, "pitch_deg": 40.0}, "HORIZON"),
    ],
)
def test_what_cannot_be_is_one_line(given: dict[str, float | str], said: str) -> None:
    settings = CameraSettings(**given)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="expected") as caught:
        camera_model(settings, (1280, 720))
    assert said in str(caught.value) and "\n" not in str(caught.value)


def test_another_size_than_the_files_is_refused(tmp_path: Path) -> None:
    write_camera_file(tmp_path / "camera.yaml", CameraFile(LENS, "front", frozenset()))
    settings = CameraSettings(file=str(tmp_path / "camera.yaml"), height_m=1.4)
    assert camera_model(settings, (640, 480)) is not None
    with pytest.raises(ConfigError, match="for 640x480 px and the camera gives 1280x720"):
        camera_model(settings, (1280, 720))


@pytest.mark.parametrize(
    "line",
    ["height_m = 0.0", "pitch_deg = 90", 'ego_mask = "1,2"', "hight_m = 1.0", "roll_deg = nan"],
)
def test_the_table_is_checked(tmp_path: Path, line: str) -> None:
    toml = tmp_path / "daemon.toml"
    toml.write_text(f"[camera]\nfield_of_view_deg = 60\n{line}\n")
    with pytest.raises(ConfigError, match="camera"):
        daemon_config(toml, {})
