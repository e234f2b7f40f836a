"""One peer in a process of its own: frames in, masks out, timed by frame.

Runs in ``.venv-peers``, where roadmask is not installed, so it imports nothing of this project but
for the peer named ``roadmask``. It is told what to do by lines on standard input and answers each
with a line of JSON on standard output.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

U8 = npt.NDArray[np.uint8]  # not roadmask's: it is not installed here

Segment = Callable[[U8], U8]  # frame (H, W, 3) BGR → class ids (h, w)


class Loop:
    """What users write: resize, convert, run, resize the logits, argmax, send by ZeroMQ.

    Args:
        task: what the parent gave.
        run: input tensor → the network's output.
        spec: input shape and type.
    """

    def __init__(self, task: dict[str, Any], run: Callable[[Any], Any], spec: Any) -> None:
        import zmq

        self._run, self._dtype = run, np.dtype(spec[1])
        _, self._height, self._width, _ = (int(n) for n in spec[0])
        self._first = int(task["first_class"])
        self._scale, self._offset = (np.float32(n) for n in task["normalisation"])
        self._bgr = bool(task["bgr"])
        self._socket: Any = zmq.Context.instance().socket(zmq.PUB)
        self._socket.setsockopt(zmq.SNDHWM, 2)
        self._socket.bind(f"ipc://{task['socket']}")

    def __call__(self, frame: U8) -> U8:
        """One frame from the decoder to the subscriber."""
        size = (self._width, self._height)
        small = cv2.resize(frame, size)
        rgb = small if self._bgr else cv2.cvtColor(small, cv2.COLOR_BGR2RGB)
        if self._dtype == np.uint8:
            tensor: Any = rgb[None]
        else:
            tensor = (rgb * self._scale + self._offset)[None]
        output = np.asarray(self._run(tensor))[0]
        if output.ndim == 2:  # the network ends in ids
            mask = output.astype(np.uint8)
        else:
            large = cv2.resize(output[..., self._first :].astype(np.float32), size)
            mask = (np.argmax(large, -1) + self._first).astype(np.uint8)
        self._socket.send(mask)
        return np.asarray(mask, np.uint8)


def litert(task: dict[str, Any]) -> Segment:
    """The plain loop around LiteRT's interpreter."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=task["model"], num_threads=task["threads"])
    interpreter.allocate_tensors()
    given, made = interpreter.get_input_details()[0], interpreter.get_output_details()[0]

    def run(tensor: Any) -> Any:
        interpreter.set_tensor(given["index"], tensor)
        interpreter.invoke()
        return interpreter.get_tensor(made["index"])

    return Loop(task, run, (given["shape"], given["dtype"]))


def openvino(task: dict[str, Any]) -> Segment:
    """The same loop around OpenVINO, which reads the file as it is."""
    import openvino as ov

    core = ov.Core()
    options = {"INFERENCE_NUM_THREADS": task["threads"], "PERFORMANCE_HINT": "LATENCY"}
    model = core.compile_model(core.read_model(task["model"]), "CPU", options)
    given = model.inputs[0]
    return Loop(
        task,
        lambda tensor: model([tensor])[0],
        (list(given.shape), given.element_type.to_dtype()),
    )


def onnxruntime(task: dict[str, Any]) -> Segment:
    """The same loop around ONNX Runtime, where tf2onnx can convert the file."""
    import onnxruntime as ort

    path = str(Path(task["socket"]).with_suffix(".onnx"))
    # Weights quantised per channel exist from opset 13 on. A process of its own, for TensorFlow
    # would count as this peer's memory.
    command = [sys.executable, "-m", "tf2onnx.convert", "--tflite", task["model"]]
    command += ["--output", path, "--opset", "13"]
    run = subprocess.run(command, capture_output=True, text=True, timeout=150, check=False)
    if run.returncode:
        raise RuntimeError(run.stderr.strip().splitlines()[-1])
    options = ort.SessionOptions()
    options.intra_op_num_threads = task["threads"]
    session = ort.InferenceSession(path, options)
    given = session.get_inputs()[0]
    kind = np.uint8 if "uint8" in given.type else np.float32
    return Loop(
        task, lambda tensor: session.run(None, {given.name: tensor})[0], (given.shape, kind)
    )


def mediapipe(task: dict[str, Any]) -> Segment:
    """MediaPipe's ImageSegmenter in video mode; it gives the mask at the frame's size."""
    import mediapipe as mp
    from mediapipe.tasks.python import BaseOptions, vision

    segmenter = vision.ImageSegmenter.create_from_options(
        vision.ImageSegmenterOptions(
            base_options=BaseOptions(model_asset_path=task["model"]),
            running_mode=vision.RunningMode.VIDEO,
            output_category_mask=True,
            output_confidence_masks=False,
        )
    )
    stamp = 0

    def segment(frame: U8) -> U8:
        nonlocal stamp
        stamp += 33
        rgb = cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)
        image = mp.Image(image_format=mp.ImageFormat.SRGB, data=rgb)
        mask = segmenter.segment_for_video(image, stamp).category_mask.numpy_view()
        return np.array(mask, np.uint8).reshape(frame.shape[:2])

    return segment


def roadmask(task: dict[str, Any]) -> Segment:
    """The daemon's own parts, in the same order, one after the other."""
    from roadmask.inference.engine import Engine
    from roadmask.inference.postprocess import Postprocess
    from roadmask.inference.preprocess import Preprocess
    from roadmask.inference.reading.read_as import ReadAs
    from roadmask.stream.publish.publisher import FrameInfo, Publisher
    from roadmask.system.clock import now_ns

    read_as = ReadAs(**task["read_as"])
    engine = Engine(task["model"], task["threads"], task["labels"] or None, read_as=read_as)
    postprocess = Postprocess(engine)
    publisher = Publisher(task["socket"], mask_size=postprocess.mask_size)
    preprocess = Preprocess(engine, engine.input_size)

    def segment(frame: U8) -> U8:
        begin_ns = now_ns()
        preprocess.into(frame, engine.input)
        engine.invoke()
        mask = publisher.begin().mask
        postprocess.into(mask)
        publisher.publish(FrameInfo(begin_ns, (frame.shape[1], frame.shape[0])))
        return np.asarray(mask, np.uint8)

    return segment


class LitertBenchmark:
    """LiteRT's own benchmark: the network alone, on whatever lies in its input."""

    def __init__(self, task: dict[str, Any]) -> None:
        from ai_edge_litert.tools import benchmark_litert_model  # noqa: F401 - is it there?

        self._task = task

    def times_ms(self, count: int) -> list[float]:
        """Its median and 95th percentile stand for the round's frames."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "r.json"
            command = [sys.executable, "-m", "ai_edge_litert.tools.benchmark_litert_model"]
            command += [f"--model={self._task['model']}", f"--num_runs={count}"]
            command += [f"--num_threads={self._task['threads']}", f"--result_json={path}"]
            subprocess.run(command, check=True, stdout=sys.stderr, timeout=120)
            latency = json.loads(path.read_text())["latency"]
        return [latency["median_ms"]] * (count - 1) + [latency["p95_ms"]]


PEERS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "roadmask": roadmask,
    "litert": litert,
    "mediapipe": mediapipe,
    "openvino": openvino,
    "onnxruntime": onnxruntime,
    "benchmark": LitertBenchmark,
}


def rss_mib() -> float:
    """Resident memory of this process."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return round(int(line.split()[1]) / 1024, 1)
    return 0.0


def serve(task: dict[str, Any], say: Callable[[dict[str, Any]], None]) -> None:
    """Answer the parent until it closes standard input."""
    cv2.setNumThreads(task["threads"])
    peer = PEERS[task["peer"]](task)
    frames = np.load(task["frames"], mmap_mode="r")
    if not isinstance(peer, LitertBenchmark):
        for index in range(min(5, len(frames))):  # warm-up
            peer(np.array(frames[index]))
    say({"ready": True})
    at = 0
    for line in sys.stdin:
        order, _, argument = line.strip().partition(" ")
        if order == "run" and isinstance(peer, LitertBenchmark):
            say({"ms": peer.times_ms(int(argument)), "cpu_ms": None, "rss_mib": None})
        elif order == "run":
            durations = []
            used_s = 0.0
            for _ in range(int(argument)):
                frame = np.array(frames[at % len(frames)])  # out of the file: what a decoder gives
                at += 1
                begin_s, begin = time.process_time(), time.perf_counter()
                peer(frame)
                durations.append(1e3 * (time.perf_counter() - begin))
                used_s += time.process_time() - begin_s
            say({"ms": durations, "cpu_ms": 1e3 * used_s, "rss_mib": rss_mib()})
        elif order == "masks":
            if not isinstance(peer, LitertBenchmark):
                np.save(argument, np.stack([np.array(peer(np.array(f))) for f in frames]))
            say({"masks": not isinstance(peer, LitertBenchmark)})


def main() -> int:
    """Entry point: the task is the one argument, as JSON."""
    # Libraries write to standard output from C++; the answers get a descriptor of their own.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)

    def say(answer: dict[str, Any]) -> None:
        print(json.dumps(answer), file=answers, flush=True)

    try:
        serve(json.loads(sys.argv[1]), say)
    except Exception as error:  # whatever a foreign library raises: the table tells it
        say({"error": f"{type(error).__name__}: {' '.join(str(error).split())[:160]}"})
        return 1
    return 0


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # some of the libraries crash while Python takes them down
