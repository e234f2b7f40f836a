from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from network_parts import Net, picture

from benchmarks.__main__ import main
from benchmarks.daemon import camera_sides
from benchmarks.daemon.avi import write_avi
from benchmarks.daemon.camera_sides import WARM_UP, Meter, PlainLoop
from roadmask.inference.reading.read_as import ReadAs


@pytest.mark.parametrize("backend", [cv2.CAP_FFMPEG, cv2.CAP_OPENCV_MJPEG])
def test_an_avi_holds_the_very_jpegs(tmp_path: Path, backend: int) -> None:
    pictures = [np.full((48, 64, 3), level, np.uint8) for level in (30, 90, 200)]
    jpegs = [cv2.imencode(".jpg", picture)[1].tobytes() for picture in pictures]
    jpegs[1] += b"\0"  # of odd length, as one of the others may be: chunks are padded
    write_avi(tmp_path / "a.avi", jpegs, (64, 48), 30)
    capture = cv2.VideoCapture(str(tmp_path / "a.avi"), backend)
    assert capture.get(cv2.CAP_PROP_FPS) == 30
    for given in pictures:
        good, image = capture.read()
        assert good and np.abs(image.astype(int) - given).max() <= 2
    assert not capture.read()[0]


class Worked:
    """The clocks of a process that does so much and no more: this one's other threads work too."""

    def __init__(self) -> None:
        self.thread_ns = self.process_ns = 10**9

    def thread_time_ns(self) -> int:
        return self.thread_ns

    def process_time_ns(self) -> int:
        return self.process_ns

    def work(self, thread_ms: float, others_ms: float = 0.0) -> None:
        self.thread_ns += round(thread_ms * 1e6)
        self.process_ns += round((thread_ms + others_ms) * 1e6)


def test_the_meter_leaves_out_the_network_and_the_warm_up(monkeypatch: pytest.MonkeyPatch) -> None:
    clocks = Worked()
    monkeypatch.setattr(camera_sides, "time", clocks)
    meter = Meter(20)
    for index in range(WARM_UP + 20):
        meter.invoke(lambda: clocks.work(4))
        clocks.work(*((7, 7) if index < WARM_UP else (2, 0.5)))
        assert meter.frame() == (index == WARM_UP + 19)
    assert meter.result["invoke_ms"] == pytest.approx(4)
    assert meter.result["cpu_ms"] == pytest.approx(2.5)  # of all threads of the process


NETS = {
    "uint8": (Net((1 / 255,) * 3, input="uint8", quantised=(1 / 255, 0)), ReadAs()),
    "float 0..1, BGR": (Net((1 / 255,) * 3, bgr=True), ReadAs("0..1", "bgr")),
    "ArgMax": (Net(end="argmax", output="int64"), ReadAs("0..255")),
    "int8": (
        Net(
            (1 / 255,) * 3,
            input="int8",
            quantised=(1 / 255, -128),
            output="int8",
            output_quantised=(110.0, 0),
        ),
        ReadAs(),
    ),
}


@pytest.mark.parametrize("name", NETS)
def test_the_plain_loop_is_right_too(name: str, tmp_path: Path) -> None:
    net, read_as = NETS[name]
    model = tmp_path / "m.tflite"
    model.write_bytes(net.build())
    loop = PlainLoop(str(model), "cityscapes-8", read_as, cv2.INTER_AREA, Meter(1))
    frame, ids = picture(range(1, 8), 8)
    np.testing.assert_array_equal(loop(frame), ids)


@pytest.mark.slow
def test_camera_bytes_to_mask_for_less_than_half(tmp_path: Path, shipped_model: Path) -> None:
    path = tmp_path / "camera.json"
    assert main(["camera", str(shipped_model), "--rounds", "3", "--json", str(path)]) == 0
    result = json.loads(path.read_text())
    assert result["kind"] == "camera"
    assert result["loop_area_ratio"] >= 2.2
    assert result["loop_linear_ratio"] > 1
