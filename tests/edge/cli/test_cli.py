"""The commands as a user types them: real processes, a real socket."""

from __future__ import annotations

import contextlib
import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from run_parts import but_modes

from roadmask.stream.subscribe.subscriber import Subscriber
from roadmask.town.town import Town

ROADMASK = [sys.executable, "-m", "roadmask"]
# On a busy machine a frame may come late, which is no matter of the tests that say so.
PATIENT = ("--max-age-ms", "60000")


def run(*arguments: str | Path, timeout: float = 120) -> subprocess.CompletedProcess[str]:
    command = [*ROADMASK, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=timeout)


@contextlib.contextmanager
def daemon(*arguments: str | Path) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [*ROADMASK, "run", *map(str, arguments)], stderr=subprocess.PIPE, text=True
    )
    try:
        yield process
    finally:
        process.terminate()
        process.wait(30)
        assert process.stderr is not None
        process.stderr.close()


@pytest.fixture
def socket(tmp_path: Path) -> Path:
    return tmp_path / "masks.sock"


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("video") / "town.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 25, (320, 240))
    town = Town(5, 320, 240)
    for index in range(12):
        writer.write(town.frame(index).image)
    writer.release()
    return path


def test_run_and_watch(socket: Path, tmp_path: Path) -> None:
    # 10 fps: a busy machine keeps up, so that every frame is young enough to be handed out.
    with daemon("--source", "synthetic:town?width=320&height=240&fps=10", "--socket", socket):
        save, out = tmp_path / "masks", tmp_path / "watch.json"
        result = run(
            *("watch", "--socket", socket, "--frames", 5, "--save", save, "--json", out),
            *("--wait", 60),
        )
    assert result.returncode == 0, result.stderr
    record = json.loads(out.read_text())
    assert record["frames"] == 5
    assert set(record) >= {"frames", "dropped", "age_ms", "modes"}
    assert sum(record["modes"].values()) == 5
    assert record["age_ms"]["p50"] > 0
    masks = sorted(save.glob("*.png"))
    assert len(masks) == 5
    assert len(list((save / "color").glob("*.png"))) == 5
    mask = cv2.imread(str(masks[0]), cv2.IMREAD_UNCHANGED)
    assert mask.shape == (224, 288)
    assert set(np.unique(mask)) <= set(range(1, 8))
    assert not socket.exists()  # the daemon left nothing


def test_a_file_as_fast_as_the_daemon_loses_no_frame(video: Path, socket: Path) -> None:
    seen = []
    with (
        Subscriber(socket, allow_not_live=True, max_age_ms=60_000) as subscriber,
        daemon("--source", f"{video}?realtime=0&loop=1", "--socket", socket, *PATIENT),
    ):
        while len(seen) < 15:
            mask = subscriber.receive(timeout_s=60)
            assert mask is not None, subscriber.reason_text
            seen.append(mask)
        status = seen[-1]
    assert status.camera_size == (320, 240)
    assert all(mask.skipped == 0 for mask in seen)
    assert not status.live
    assert status.model is not None
    assert status.model.name == "roadlite-288x224"
    # Pixel centres: mask pixel 0 and the last one lie as far from the picture's edges.
    (sx, _), (ox, _) = status.scale, status.offset
    assert sx * -0.5 + ox == pytest.approx(-0.5)
    assert sx * 287.5 + ox == pytest.approx(319.5)


def test_a_subscriber_is_not_handed_a_file_unless_it_asks(video: Path, socket: Path) -> None:
    with (
        Subscriber(socket) as subscriber,
        daemon("--source", f"{video}?realtime=0&loop=1", "--socket", socket),
    ):
        while subscriber.reason_text.find("not live") < 0:
            assert subscriber.receive(timeout_s=1) is None


def test_frames_ends_by_itself_and_sigterm_ends_in_order(video: Path, socket: Path) -> None:
    result = run(
        "run",
        "--source",
        f"{video}?realtime=0",
        "--socket",
        socket,
        "--frames",
        3,
        "--log-level",
        "warning",
    )
    assert (result.returncode, but_modes(result.stderr)) == (0, [])
    assert not socket.exists()
    with (
        daemon("--source", "synthetic:town?width=320&height=240", "--socket", socket) as process,
        Subscriber(socket, allow_not_live=True) as subscriber,
    ):
        assert subscriber.receive(timeout_s=60)
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    assert not socket.exists()


def test_a_source_that_ends_early_is_said(video: Path, socket: Path) -> None:
    result = run("run", "--source", f"{video}?realtime=0", "--socket", socket, "--frames", 99)
    assert result.returncode == 0
    assert "ended after 12 of 99 frames" in result.stderr


def test_config_file_and_command_line_over_it(video: Path, socket: Path, tmp_path: Path) -> None:
    config = tmp_path / "roadmask.toml"
    config.write_text(f'[daemon]\nsource = "{video}?realtime=0"\nframes = 9999\n')
    times = tmp_path / "times.npy"
    result = run("run", "--config", config, "--socket", socket, "--frames", 4, "--times", times)
    assert result.returncode == 0, result.stderr
    rows = np.load(times)
    assert rows.shape == (4, 8)
    assert (np.diff(rows[:, 2:]) >= 0).all()  # every stage ends after the one before
    config.write_text("[daemon]\nsorce = 'a'\n")
    result = run("run", "--config", config)
    assert result.returncode == 2
    assert "did you mean source" in result.stderr


def test_demo_scores_the_town(tmp_path: Path) -> None:
    picture, out = tmp_path / "demo.png", tmp_path / "demo.json"
    result = run("demo", "--seconds", 3, "--picture", picture, "--json", out)
    assert result.returncode == 0, result.stderr
    assert str(picture) in result.stdout
    record = json.loads(out.read_text())
    assert record["frames"] > 0
    assert 0.3 < record["miou"] <= 1
    assert cv2.imread(str(picture)).shape == (540, 960, 3)


def bad_file(folder: Path, kind: str) -> str:
    path = folder / kind
    if kind == "empty-folder":
        path.mkdir()
    elif kind == "corrupt.mp4":
        path.write_bytes(bytes(range(256)) * 40)
    elif kind == "corrupt.tflite":
        path.write_bytes(b"\x20\0\0\0TFL3" + bytes(range(256)) * 10)
    elif kind == "text.png":
        path.write_text("hello")
    return str(path)


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("--model", "missing.tflite", "missing"),
        ("--model", "corrupt.tflite", "corrupt"),
        ("--source", "missing.mp4", "missing.mp4"),
        ("--source", "corrupt.mp4", "corrupt.mp4"),
        ("--source", "empty-folder", "empty-folder"),
        ("--source", "text.png", "text.png"),
        ("--source", "synthetic:moon", "town"),
        ("--labels", "cityscapes-21", "cityscapes-19"),
        ("--threads", "0", "threads"),
        ("--frames", "-1", "frames"),
        ("--config", "missing.toml", "missing.toml"),
        ("--socket", "/proc/none/masks.sock", "/proc/none"),
    ],
)
def test_bad_input_is_one_line_and_exit_2(
    tmp_path: Path, video: Path, option: str, value: str, words: str
) -> None:
    if "." in value or value == "empty-folder":
        value = bad_file(tmp_path, value) if not value.startswith("/") else value
    arguments = {
        "--source": f"{video}?realtime=0",
        "--socket": str(tmp_path / "run" / "masks.sock"),
        "--frames": "2",
    } | {option: value}
    before = sorted(tmp_path.iterdir())
    result = run("run", *(x for pair in arguments.items() for x in pair))
    assert result.returncode == 2, result.stderr
    said = but_modes(result.stderr)
    assert len(said) == 1, result.stderr
    assert said[0].startswith("roadmask: ")
    assert words in said[0]
    left = [p for p in tmp_path.rglob("*") if p not in before and p.is_file()]
    assert not left


def test_a_network_without_confidence_publishes_no_empty_plane(
    shared: Path, socket: Path, video: Path
) -> None:
    model = shared / "peers/deeplab_mobilenet_edgetpu_slim_cityscapes_quant.tflite"
    arguments = ("--model", model, "--labels", "cityscapes-19", "--confidence", "--frames", 1)
    result = run("run", "--source", f"{video}?realtime=0", "--socket", socket, *arguments)
    assert result.returncode == 2
    assert "--confidence" in result.stderr
    assert not socket.exists()


def test_a_socket_in_use_is_refused_and_the_first_daemon_lives(socket: Path) -> None:
    source = "synthetic:town?width=320&height=240"
    with (
        daemon("--source", source, "--socket", socket),
        Subscriber(socket, allow_not_live=True) as subscriber,
    ):
        assert subscriber.receive(timeout_s=60)
        result = run("run", "--source", source, "--socket", socket)
        assert result.returncode == 2
        assert len(result.stderr.strip().splitlines()) == 1
        assert str(socket) in result.stderr
        assert subscriber.receive(timeout_s=60)


def test_watch_says_when_nobody_publishes(socket: Path) -> None:
    result = run("watch", "--socket", socket, "--wait", "0.5")
    assert result.returncode == 2
    assert "roadmask run" in result.stderr.splitlines()[-1]


def test_watch_refuses_a_folder_that_it_cannot_make(socket: Path) -> None:
    result = run("watch", "--socket", socket, "--save", "/proc/masks")
    assert result.returncode == 2
    assert "/proc/masks" in result.stderr


def test_the_installed_command_and_its_help() -> None:
    command = shutil.which("roadmask", path=str(Path(sys.executable).parent))
    assert command
    result = subprocess.run([command, "run", "--help"], capture_output=True, text=True, check=True)
    for option in ("--source", "--model", "--socket", "--threads", "--frames", "--labels"):
        assert option in result.stdout
