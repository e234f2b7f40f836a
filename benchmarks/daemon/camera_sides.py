"""One turn of ``python -m benchmarks camera``, in a process of its own that measures itself."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from roadmask.arrays import U8
from roadmask.errors import ModelError
from roadmask.inference.contract import read_contract
from roadmask.inference.engine import Engine, pixel_table
from roadmask.inference.model_file import model_path
from roadmask.inference.reading.read_as import ReadAs

WARM_UP = 30  # frames


class Meter:
    """CPU time of the process less that spent inside ``invoke``, from frame ``WARM_UP`` on."""

    def __init__(self, frames: int) -> None:
        self._last = WARM_UP + frames
        self._count = 0
        self._invoke_ns = 0
        self._begin_ns = (0, 0)
        self.result: dict[str, float] = {}

    def invoke(self, network: Callable[[], None]) -> None:
        """Call it, and add up the thread's CPU time in it."""
        begin = time.thread_time_ns()
        network()
        self._invoke_ns += time.thread_time_ns() - begin

    def frame(self) -> bool:
        """Count a frame; True when it was the last one."""
        self._count += 1
        now_ns = (time.process_time_ns(), self._invoke_ns)
        if self._count == WARM_UP:
            self._begin_ns = now_ns
        if self._count == self._last:
            process_ms, invoke_ms = (
                (now - begin) / 1e6 / (self._last - WARM_UP)
                for now, begin in zip(now_ns, self._begin_ns, strict=True)
            )
            self.result = {"cpu_ms": process_ms - invoke_ms, "invoke_ms": invoke_ms}
        return self._count >= self._last


def run_daemon(
    model: str, video: str, socket: str, labels: str, read_as: ReadAs, meter: Meter
) -> None:
    """The daemon as it is, in this process; its table of stage times tells of each frame."""
    from roadmask.daemon.config import DaemonConfig
    from roadmask.daemon.pipeline import open_pipeline
    from roadmask.daemon.stage_times import StageTimes

    stop = threading.Event()

    class Times(StageTimes):
        def add(self, *stamps: int) -> None:
            if meter.frame():
                stop.set()

    class MeasuredEngine(Engine):
        def invoke_direct(self) -> None:  # the one that the loop calls
            meter.invoke(super().invoke_direct)

    config = DaemonConfig(source=f"{video}?realtime=0&loop=1", socket=socket)
    engine = MeasuredEngine(model, labels=labels or None, read_as=read_as)
    with open_pipeline(config, engine=engine, times=Times(1)) as pipeline:
        pipeline.run(stop)


class PlainLoop:
    """The loop that is usually written, with OpenCV, LiteRT's tensors and NumPy.

    What decides a pixel it is told by our contract, so that its mask is right and it does the work
    that a right one takes.

    Args:
        model, labels, read_as: the network.
        interpolation: OpenCV's, of the picture.
        meter: takes the network's own time.
    """

    def __init__(
        self, model: str, labels: str, read_as: ReadAs, interpolation: int, meter: Meter
    ) -> None:
        from ai_edge_litert.interpreter import Interpreter

        path = model_path(model)
        given, made, known = read_contract(path.read_bytes(), labels or None, read_as).settled(path)
        if made.classes == 1:
            raise ModelError(
                f"model {path}: given one class, expected two or more: the plain loop that "
                "`camera` compares with takes the largest; give another model"
            )
        table = pixel_table(given)
        plain = table.dtype == np.uint8 and bool((table == np.arange(256)).all())
        # OpenCV looks up by the last axis.
        self._table = None if plain else np.ascontiguousarray(table.T[None])
        self._bgr = given.pixels is not None and given.pixels.bgr
        self._interpolation, self._meter = interpolation, meter
        self._first, self._ids = known.first_competing, made.gives_ids
        self._interpreter = Interpreter(model_path=str(path), num_threads=1)
        self._given = self._interpreter.get_input_details()[0]
        _, height, width, _ = given.shape
        self._size = width, height
        self._interpreter.resize_tensor_input(self._given["index"], [1, height, width, 3])
        self._interpreter.allocate_tensors()
        self._got = self._interpreter.get_output_details()[made.index]

    def __call__(self, frame: npt.NDArray[Any]) -> U8:
        """The class of each pixel, at the network's input size, of a BGR picture."""
        pixels = cv2.resize(frame, self._size, interpolation=self._interpolation)
        if not self._bgr:
            pixels = cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)
        if self._table is not None:
            pixels = cv2.LUT(pixels, self._table)
        tensor = pixels[None].view(self._given["dtype"])
        self._interpreter.set_tensor(self._given["index"], tensor)
        self._meter.invoke(self._interpreter.invoke)
        output = self._interpreter.get_tensor(self._got["index"])[0]
        if self._ids:
            ids = output.reshape(output.shape[:2]).astype(np.uint8)
            return np.asarray(
                cv2.resize(ids, self._size, interpolation=cv2.INTER_NEAREST_EXACT), np.uint8
            )
        scale, zero_point = self._got["quantization"]
        logits = output.astype(np.float32)
        if scale:
            logits = (logits - zero_point) * scale
        whole = cv2.resize(logits[..., self._first :], self._size, interpolation=cv2.INTER_LINEAR)
        return np.asarray(np.argmax(whole, axis=-1) + self._first, np.uint8)


def run_loop(loop: PlainLoop, video: str, socket: str, meter: Meter) -> None:
    """The plain loop, which sends its masks by ZeroMQ."""
    import zmq

    with zmq.Context() as context, context.socket(zmq.PUB) as outlet:
        outlet.bind(f"ipc://{socket}")
        capture = _open(video)
        while True:
            good, frame = capture.read()
            if not good:
                capture = _open(video)
                continue
            outlet.send(loop(frame).tobytes())
            if meter.frame():
                return


def _open(video: str) -> cv2.VideoCapture:
    # OpenCV's own reader decodes with libjpeg, as its V4L2 camera does, and takes less time than
    # FFmpeg's.
    return cv2.VideoCapture(video, cv2.CAP_OPENCV_MJPEG)


def main() -> None:
    """``SIDE MODEL VIDEO SOCKET RESULT FRAMES LABELS READ_AS``, the last as JSON."""
    side, model, video, socket, result, frames, labels, read_as = sys.argv[1:9]
    cv2.setNumThreads(1)
    meter = Meter(int(frames))
    told = ReadAs(**json.loads(read_as))
    if side == "roadmask":
        run_daemon(model, video, socket, labels, told, meter)
    else:
        kind = cv2.INTER_AREA if side == "loop_area" else cv2.INTER_LINEAR
        run_loop(PlainLoop(model, labels, told, kind, meter), video, socket, meter)
    Path(result).write_text(json.dumps(meter.result))


if __name__ == "__main__":
    main()
