"""One turn of ``python -m benchmarks camera``, in a process of its own that measures itself."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from roadmask.inference.engine import Engine
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


def run_loop(model: str, video: str, socket: str, meter: Meter, interpolation: int) -> None:
    """The loop that is usually written, with OpenCV, LiteRT's tensors, NumPy and ZeroMQ."""
    import zmq
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=str(model_path(model)), num_threads=1)
    interpreter.allocate_tensors()
    given = interpreter.get_input_details()[0]
    got = interpreter.get_output_details()[0]
    _, height, width, _ = given["shape"]
    scale, zero_point = got["quantization"]
    with zmq.Context() as context, context.socket(zmq.PUB) as outlet:
        outlet.bind(f"ipc://{socket}")
        capture = _open(video)
        while True:
            good, frame = capture.read()
            if not good:
                capture = _open(video)
                continue
            small = cv2.resize(frame, (width, height), interpolation=interpolation)
            rgb = cv2.cvtColor(small, cv2.COLOR_BGR2RGB)
            interpreter.set_tensor(given["index"], rgb[None].astype(given["dtype"]))
            meter.invoke(interpreter.invoke)
            logits = interpreter.get_tensor(got["index"])[0].astype(np.float32)
            logits = (logits - zero_point) * scale
            whole = cv2.resize(logits, (width, height), interpolation=cv2.INTER_LINEAR)
            outlet.send(np.argmax(whole, axis=-1).astype(np.uint8).tobytes())
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
    if side == "roadmask":
        run_daemon(model, video, socket, labels, ReadAs(**json.loads(read_as)), meter)
    else:
        kind = cv2.INTER_AREA if side == "loop_area" else cv2.INTER_LINEAR
        run_loop(model, video, socket, meter, kind)
    Path(result).write_text(json.dumps(meter.result))


if __name__ == "__main__":
    main()
