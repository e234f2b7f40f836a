"""CPU time per frame outside the network: this daemon's path, and the loop that is usually written.

Camera bytes to a published mask. The camera is a Motion JPEG file of town frames, 1280x720 at the
bit rate of a webcam, so that both sides pay for the same bytes. Each side runs as a process of its
own, in turns; both are measured alike: CPU time of the process less that of the thread inside
``invoke``, from the end of the warm-up to the last frame. A reader in this process takes the masks.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from benchmarks.daemon.avi import write_avi
from benchmarks.daemon.process import finish, start
from benchmarks.results import number, table
from roadmask.imaging.encoding import encode_picture
from roadmask.inference.engine import Engine
from roadmask.inference.reading.read_as import AS_IT_SAYS, ReadAs
from roadmask.stream.subscribe.policy import TAKE_EVERYTHING
from roadmask.stream.subscribe.subscriber import Subscriber
from roadmask.system.hardware import read_device
from roadmask.system.progress import part
from roadmask.town.town import Town

SIZE = (1280, 720)
PICTURES = 24
JPEG_QUALITY = 75  # about 120 KB a frame: what a webcam sends at this size
SIDES = ("roadmask", "loop_area", "loop_linear")
ROUNDS = 5


@dataclass(frozen=True)
class CameraPlan:
    """What to run: frames of one turn, after its warm-up; ``rounds`` turns of each side."""

    model: str
    frames: int = 150
    rounds: int = ROUNDS
    labels: str = ""
    read_as: ReadAs = AS_IT_SAYS


def measure_camera(plan: CameraPlan, progress: bool = True) -> dict[str, Any]:
    """Run all sides in turns and give the JSON object of ``python -m benchmarks camera``.

    Raises:
        RoadmaskError: the model cannot be used.
    """
    # Refuses before anything runs.
    engine = Engine(plan.model, 1, plan.labels or None, read_as=plan.read_as)
    device = read_device()
    turns: dict[str, list[dict[str, float]]] = {side: [] for side in SIDES}
    with tempfile.TemporaryDirectory(prefix="roadmask-") as folder:
        video = write_motion_jpeg(Path(folder) / "camera.avi")
        total = len(SIDES) * plan.rounds
        with part("camera", total, "turn", show=progress) as bar:
            for _ in range(plan.rounds):
                for side in SIDES:
                    turns[side].append(_turn(side, plan, video, Path(folder)))
                    bar.update()
        bytes_per_frame = video.stat().st_size / PICTURES
    cpu_ms = {side: [turn["cpu_ms"] for turn in values] for side, values in turns.items()}
    result: dict[str, Any] = {"kind": "camera"}
    for side in SIDES:
        result[side] = {
            "cpu_ms": round(float(np.median(cpu_ms[side])), 4),
            "cpu_ms_rounds": [round(v, 4) for v in cpu_ms[side]],
            "invoke_cpu_ms": round(float(np.median([t["invoke_ms"] for t in turns[side]])), 4),
        }
    for side in SIDES[1:]:
        pairs = zip(cpu_ms[side], cpu_ms[SIDES[0]], strict=True)
        ratios = [other / own for other, own in pairs]
        result[f"{side}_ratio"] = round(float(np.median(ratios)), 4)
        result[f"{side}_ratio_rounds"] = [round(v, 3) for v in ratios]
    return result | {
        "frames": plan.frames,
        "rounds": plan.rounds,
        "camera": f"{SIZE[0]}x{SIZE[1]} MJPG, {bytes_per_frame / 1000:.0f} KB a frame",
        "device": device.name,
        "device_before": device.to_json(),
        "model": engine.name,
        "model_digest": engine.digest,
        "input_size": list(engine.input_size),
        "runtime": engine.runtime,
        "opencv": cv2.__version__,
    }


def camera_table(result: dict[str, Any]) -> str:
    """The result for people."""
    names = {
        "roadmask": "roadmask run",
        "loop_area": "loop, INTER_AREA",
        "loop_linear": "loop, INTER_LINEAR",
    }
    rows = [
        (
            names[side],
            number(result[side]["cpu_ms"], 2),
            number(result.get(f"{side}_ratio", 1.0), 2),
            number(result[side]["invoke_cpu_ms"], 2),
        )
        for side in SIDES
    ]
    header = ("CPU ms a frame", "outside invoke", "ratio", "invoke")
    return f"{table(rows, header)}\n{result['camera']}, {result['device']}"


def write_motion_jpeg(path: Path, pictures: int = PICTURES) -> Path:
    """A Motion JPEG AVI of a drive through the town."""
    town = Town(1, *SIZE)
    # Cameras send a colour sample for two pixels, YUV 4:2:2.
    how = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
    how += [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_422]
    frames = (town.frame(4 * index).image for index in range(pictures))
    write_avi(path, [encode_picture(".jpg", f, how) for f in frames], SIZE, 30)
    return path


def _turn(side: str, plan: CameraPlan, video: Path, folder: Path) -> dict[str, float]:
    socket, result = folder / "masks.sock", folder / "turn.json"
    command = [sys.executable, "-m", "benchmarks.daemon.camera_sides", side, plan.model, str(video)]
    command += [str(socket), str(result), str(plan.frames), plan.labels]
    command.append(json.dumps(asdict(plan.read_as)))
    with start(command) as process, _reader(side, socket, process):
        try:
            finish(process)
        finally:
            process.kill()
    values: dict[str, float] = json.loads(result.read_text())
    result.unlink()
    return values


@contextmanager
def _reader(side: str, socket: Path, process: subprocess.Popen[str]) -> Iterator[None]:
    """Take the masks as they come, in a thread of this process."""
    read = _read_masks if side == "roadmask" else _read_messages
    thread = threading.Thread(target=read, args=(socket, process.poll), daemon=True)
    thread.start()
    yield
    thread.join(10)


def _read_masks(socket: Path, ended: Callable[[], int | None]) -> None:
    with Subscriber(socket, max_age_ms=10_000, **TAKE_EVERYTHING) as subscriber:
        while ended() is None:
            subscriber.receive(timeout_s=0.1)


def _read_messages(socket: Path, ended: Callable[[], int | None]) -> None:
    import zmq

    with zmq.Context() as context, context.socket(zmq.SUB) as inbox:
        inbox.setsockopt(zmq.SUBSCRIBE, b"")
        inbox.setsockopt(zmq.LINGER, 0)
        inbox.connect(f"ipc://{socket}")
        while ended() is None:
            if inbox.poll(100):
                inbox.recv()
