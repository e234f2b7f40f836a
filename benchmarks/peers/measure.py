"""The same model on the same frames through what users would take instead.

Every peer is a process of its own, asked in turns, so that clock, heat and neighbours are the same
for all. What cannot be installed or cannot run the file stands in the result with its reason.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.results import number, points, table
from roadmask.arrays import U8
from roadmask.data.datasets import open_dataset
from roadmask.errors import ConfigError
from roadmask.evaluation.metrics import ConfusionMatrix
from roadmask.imaging.nearest import nearest
from roadmask.inference.engine import Engine
from roadmask.inference.reading.read_as import AS_IT_SAYS, ReadAs
from roadmask.sources import open_source
from roadmask.sources.source import EndOfStream
from roadmask.stream.subscribe.policy import TAKE_EVERYTHING
from roadmask.stream.subscribe.subscriber import Subscriber
from roadmask.system.hardware import read_device
from roadmask.system.percentiles import percentiles, quartile_spread
from roadmask.system.progress import track

ROOT = Path(__file__).parents[2]
VENV = ROOT / ".venv-peers"
_STARTUP_S, _ANSWER_S = 180, 300
_FRAME_SHAPE = (720, 1280)
# Title → peer of benchmarks.peers.worker; ours first, the others' masks are compared with it.
TITLES = {
    "roadmask": "roadmask",
    "OpenCV + LiteRT + ZeroMQ": "litert",
    "MediaPipe ImageSegmenter": "mediapipe",
    "OpenCV + OpenVINO + ZeroMQ": "openvino",
    "OpenCV + ONNX Runtime + ZeroMQ": "onnxruntime",
    "LiteRT's benchmark (network alone)": "benchmark",
}


@dataclass(frozen=True)
class PeersPlan:
    """What to measure.

    Attributes:
        model: path or stem.
        source: URI of frames without truth; empty for the data set's.
        dataset, root, split: frames with truth, which the masks are scored on.
        frames: how many of them; they are repeated.
        rounds: turns of every peer; each_round: frames in a turn.
        threads: of every network, and of OpenCV.
        labels, read_as: how to read the model, where its file does not tell.
        rival: another model, run by the plain loop and by roadmask, for accuracy per millisecond;
            rival_labels: its label set.
    """

    model: str
    source: str = ""
    dataset: str = "town"
    root: Path | None = None
    split: str = "val"
    frames: int = 24
    rounds: int = 8
    each_round: int = 10
    threads: int = 1
    rival: str = ""
    rival_labels: str = "cityscapes-19"
    labels: str = ""
    read_as: ReadAs = AS_IT_SAYS


@dataclass(frozen=True)
class _Peer:
    title: str
    kind: str
    engine: Engine  # of the model that it runs: path, labels and normalisation
    labels: str = ""
    read_as: ReadAs = AS_IT_SAYS


def measure_peers(plan: PeersPlan, *, progress: bool = True) -> dict[str, Any]:
    """Run all peers and give the JSON object of ``python -m benchmarks peers``.

    Raises:
        ConfigError: no frames, or the peers' environment is missing.
        RoadmaskError: the model or the data cannot be used.
    """
    python = VENV / "bin" / "python"
    if not python.exists():
        raise ConfigError(f"{VENV} is missing: run `make setup-peers`, which installs the peers")
    ours = Engine(plan.model, plan.threads, plan.labels or None, read_as=plan.read_as)
    peers = [_Peer(title, kind, ours, plan.labels, plan.read_as) for title, kind in TITLES.items()]
    if plan.rival:
        rival = Engine(plan.rival, plan.threads, plan.rival_labels)
        name = rival.path.stem
        peers += [
            _Peer(f"{name}: roadmask", "roadmask", rival, plan.rival_labels),
            _Peer(f"{name}: OpenCV + LiteRT + ZeroMQ", "litert", rival, plan.rival_labels),
        ]
    before = read_device()
    with tempfile.TemporaryDirectory(prefix="roadmask-") as name, ExitStack() as stack:
        folder = Path(name)
        truths = _write_frames(plan, folder / "frames.npy")
        workers: dict[str, _Worker] = {}
        failed: dict[str, str] = {}
        for number_, peer in enumerate(peers):
            worker = _Worker(peer, plan, folder, number_, python)
            stack.enter_context(worker)
            reason = worker.start()
            if reason is None:
                workers[peer.title] = worker
            else:
                failed[peer.title] = reason
        turns = [t for _ in range(plan.rounds) for t in workers]
        for title in track(turns, "peers", unit="turn", show=progress):
            workers[title].run(plan.each_round)
        masks = {title: worker.masks() for title, worker in workers.items()}
    rows = [
        {
            "peer": title,
            "model": worker.peer.engine.name,
            **worker.times(),
            "agreement": _agreement(masks.get("roadmask"), masks[title])
            if worker.peer.engine is ours
            else None,
            "miou": _miou(masks[title], truths),
        }
        for title, worker in workers.items()
    ]
    return {
        "kind": "peers",
        "rows": rows,
        "unavailable": failed,
        "frames": plan.frames,
        "source": plan.source or f"{plan.dataset}/{plan.split}",
        "threads": plan.threads,
        "device": before.name,
        "device_before": before.to_json(),
        "device_after": read_device().to_json(),
        "model_digest": ours.digest,
        "packages": _packages(python),
    }


def peers_table(result: dict[str, Any]) -> str:
    """The result for people."""
    rows = [
        (
            row["peer"],
            number(row["ms"]["p50"]),
            number(row["ms"]["p99"]),
            number(row["cpu_ms"]),
            number(row["fps"], 1),
            number(row["rss_mib"], 0),
            "-" if row["agreement"] is None else f"{100 * row['agreement']:.2f}",
            points(row["miou"]),
        )
        for row in result["rows"]
    ]
    header = ("peer", "p50 ms", "p99 ms", "CPU ms", "fps", "MiB", "same %", "mIoU")
    lines = [table(rows, header)]
    lines += [f"not run: {title}: {reason}" for title, reason in result["unavailable"].items()]
    lines.append(
        f"{result['threads']} thread(s), {result['device']}; frame decoded to mask sent, "
        f"frames of {result['source']}"
    )
    return "\n".join(lines)


class _Worker:
    """A peer's process, asked line by line, and a reader of what it sends."""

    def __init__(
        self, peer: _Peer, plan: PeersPlan, folder: Path, place: int, python: Path
    ) -> None:
        self.peer = peer
        self._socket = folder / f"peer{place}.sock"
        self._masks = folder / f"peer{place}.npy"
        self._ms: list[float] = []
        self._cpu_ms = 0.0
        self._counted = 0
        self._rss_mib: float | None = None
        task = {
            "peer": peer.kind,
            "model": str(peer.engine.path),
            "labels": peer.labels,
            "read_as": asdict(peer.read_as),
            "frames": str(folder / "frames.npy"),
            "socket": str(self._socket),
            "threads": plan.threads,
            "first_class": peer.engine.labels.first_competing,
            "normalisation": _normalisation(peer.engine),
            "bgr": peer.engine.pixels is not None and peer.engine.pixels.bgr,
        }
        program = Path(sys.executable) if peer.kind == "roadmask" else python
        self._process = subprocess.Popen(
            [str(program), str(ROOT / "benchmarks" / "peers" / "worker.py"), json.dumps(task)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self._reader = _Reader(peer.kind, self._socket)

    def __enter__(self) -> _Worker:
        return self

    def __exit__(self, *_: object) -> None:
        self._reader.stop()
        if self._process.stdin:
            self._process.stdin.close()
        try:
            self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout:
            self._process.stdout.close()

    def start(self) -> str | None:
        """Wait until it is ready; the reason where it will never be."""
        answer = self._answer(_STARTUP_S)
        if "error" in answer:
            return str(answer["error"])
        self._reader.start()
        return None

    def run(self, frames: int) -> None:
        """Let it do so many frames; the others wait meanwhile."""
        answer = self._ask(f"run {frames}")
        self._ms += answer["ms"]
        if answer["cpu_ms"] is not None:
            self._cpu_ms += answer["cpu_ms"]
            self._counted += frames
        self._rss_mib = answer["rss_mib"]

    def masks(self) -> U8 | None:
        """Categories of every frame, None for a peer that gives no masks."""
        if not self._ask(f"masks {self._masks}")["masks"]:
            return None
        ids: U8 = np.load(self._masks)
        if self.peer.kind == "roadmask":  # already categories
            return ids
        return np.asarray(self.peer.engine.labels.category_table[ids], np.uint8)

    def times(self) -> dict[str, Any]:
        """Milliseconds a frame, processor time a frame, rate, memory."""
        median = float(np.median(self._ms))
        return {
            "ms": percentiles(self._ms),
            "cpu_ms": round(self._cpu_ms / self._counted, 3) if self._counted else None,
            "fps": round(1e3 / float(np.mean(self._ms)), 2),
            "spread_ms": quartile_spread(self._ms),
            "fps_median": round(1e3 / median, 2),
            "rss_mib": self._rss_mib,
        }

    def _ask(self, order: str) -> dict[str, Any]:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(order + "\n")
            self._process.stdin.flush()
        except BrokenPipeError as error:
            raise ConfigError(f"peer {self.peer.title} ended before its time") from error
        answer = self._answer(_ANSWER_S)
        if "error" in answer:
            raise ConfigError(f"peer {self.peer.title} failed: {answer['error']}")
        return answer

    def _answer(self, timeout_s: float) -> dict[str, Any]:
        assert self._process.stdout is not None
        timer = threading.Timer(timeout_s, self._process.kill)
        timer.start()
        try:
            line = self._process.stdout.readline()
        finally:
            timer.cancel()
        if not line:
            return {"error": f"no answer within {timeout_s:.0f} s, or it crashed"}
        answer: dict[str, Any] = json.loads(line)
        return answer


def _normalisation(engine: Engine) -> list[list[float]]:
    """Factors and summands of the three channels."""
    pixels = engine.pixels
    if pixels is None:
        return [[1 / 127.5] * 3, [-1.0] * 3]
    return [list(map(float, pixels.scale)), list(map(float, pixels.offset))]


class _Reader:
    """A subscriber, so that sending is not for nobody: it takes every mask and drops it."""

    def __init__(self, kind: str, socket: Path) -> None:
        body = {"roadmask": self._roadmask, "mediapipe": None, "benchmark": None}
        self._stopped = threading.Event()
        self._path = socket
        target = body.get(kind, self._zeromq)
        self._thread = threading.Thread(target=target, daemon=True) if target else None

    def start(self) -> None:
        if self._thread:
            self._thread.start()

    def stop(self) -> None:
        self._stopped.set()
        if self._thread and self._thread.is_alive():
            self._thread.join(timeout=2)

    def _roadmask(self) -> None:
        with Subscriber(self._path, max_age_ms=10_000, **TAKE_EVERYTHING) as subscriber:
            while not self._stopped.is_set():
                subscriber.receive(timeout_s=0.2)

    def _zeromq(self) -> None:
        import zmq

        with zmq.Context() as context, context.socket(zmq.SUB) as socket:
            socket.setsockopt(zmq.SUBSCRIBE, b"")
            socket.setsockopt(zmq.RCVTIMEO, 200)
            socket.connect(f"ipc://{self._path}")
            while not self._stopped.is_set():
                try:
                    socket.recv()
                except zmq.Again:
                    continue


def _write_frames(plan: PeersPlan, path: Path) -> list[U8] | None:
    """Write the frames that every peer reads, and give their truth where there is one."""
    if plan.source:
        images: list[U8] = []
        with open_source(plan.source) as source:
            while len(images) < plan.frames:
                try:
                    frame = source.read(5.0)
                except EndOfStream:
                    break
                if frame is not None:
                    images.append(np.array(frame.image))
        truths = None
    else:
        dataset = open_dataset(
            plan.dataset, plan.root, plan.split, count=plan.frames, size=_FRAME_SHAPE[::-1]
        )
        every = max(1, len(dataset) // plan.frames)
        samples = [dataset[i] for i in range(0, len(dataset), every)][: plan.frames]
        images, truths = [s.image for s in samples], [s.mask for s in samples]
    if not images:
        raise ConfigError(f"source {plan.source} gave no frame: give a longer one")
    shape = images[0].shape
    if any(image.shape != shape for image in images):
        raise ConfigError("the frames differ in size: give frames of one camera")
    np.save(path, np.stack(images))
    return truths


def _agreement(ours: U8 | None, others: U8 | None) -> float | None:
    """Share of equal pixels at the size of our masks."""
    if ours is None or others is None:
        return None
    size = (ours.shape[2], ours.shape[1])
    equal = [np.mean(a == nearest(b, size)) for a, b in zip(ours, others, strict=True)]
    return round(float(np.mean(equal)), 5)


def _miou(masks: U8 | None, truths: Sequence[U8] | None) -> float | None:
    if masks is None or truths is None:
        return None
    matrix = ConfusionMatrix()
    for mask, truth in zip(masks, truths, strict=True):
        size = (truth.shape[1], truth.shape[0])
        matrix.update(truth, nearest(mask, size))
    return round(matrix.mean_iou(), 5)


def _packages(python: Path) -> dict[str, str]:
    code = (
        "import json, importlib.metadata as m\n"
        "names = ('ai-edge-litert', 'mediapipe', 'openvino', 'onnxruntime', 'tf2onnx')\n"
        "print(json.dumps({d.name: d.version for d in m.distributions() if d.name in names}))"
    )
    run = subprocess.run([str(python), "-c", code], capture_output=True, text=True, check=False)
    versions: dict[str, str] = json.loads(run.stdout) if run.returncode == 0 else {}
    return versions
