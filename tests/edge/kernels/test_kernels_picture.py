"""Picture to tensor and scene statistics against their NumPy references, bit for bit."""

from __future__ import annotations

import queue
import sys
import threading

import cv2
import numpy as np
import pytest

from roadmask import _native
from roadmask.inference import reference_kernels as kernels_reference
from roadmask.system.clock import now_ns

PICTURES = [
    # source (w, h), target (w, h)
    ((1280, 720), (480, 352)),
    ((640, 480), (480, 352)),
    ((101, 67), (33, 29)),
    ((30, 20), (64, 48)),  # larger
    ((300, 40), (20, 80)),  # one axis shrinks, one grows
    ((1000, 701), (999, 700)),  # rows whose weight rounds to a whole pixel
    ((64, 48), (64, 48)),
    ((1920, 90), (37, 5)),  # many taps
    ((7, 5), (3, 2)),
    ((1, 1), (5, 4)),
    ((50, 50), (1, 1)),
]


@pytest.mark.parametrize(("source", "target"), PICTURES)
@pytest.mark.usefixtures("level")
def test_preprocess_bgr_equals_reference(source: tuple[int, int], target: tuple[int, int]) -> None:
    rng = np.random.default_rng(6)
    w, h = source
    frame = rng.integers(0, 256, (h + 3, w + 7, 3)).astype(np.uint8)
    frame[: h // 2, : w // 3] = 255
    region = frame[2 : 2 + h, 3 : 3 + w]  # rows are apart
    out = np.empty((target[1], target[0], 3), np.uint8)
    _native.PreprocessPlan(source, target).run(region, out)
    np.testing.assert_array_equal(out, kernels_reference.preprocess(region, target))
    table = rng.permutation(256).astype(np.uint8)
    _native.PreprocessPlan(source, target, table).run(region, out)
    np.testing.assert_array_equal(out, kernels_reference.preprocess(region, target, table))


@pytest.mark.parametrize("layout", ["grey", "yuyv", "nv12"])
@pytest.mark.parametrize(
    ("source", "target"), [((1280, 720), (480, 352)), ((62, 46), (80, 33)), ((640, 48), (37, 48))]
)
@pytest.mark.usefixtures("level")
def test_preprocess_of_camera_layouts_equals_reference(
    layout: str, source: tuple[int, int], target: tuple[int, int]
) -> None:
    w, h = source
    shape = {"grey": (h, w), "yuyv": (h, w, 2), "nv12": (h // 2 * 3, w)}[layout]
    frame = np.random.default_rng(7).integers(0, 256, shape).astype(np.uint8)
    out = np.empty((target[1], target[0], 3), np.int8)
    table = (np.arange(256) - 128).astype(np.int8).view(np.uint8)
    _native.PreprocessPlan(source, target, table, layout).run(frame, out)
    expected = kernels_reference.preprocess(frame, target, table, layout)
    np.testing.assert_array_equal(out.view(np.uint8), expected)


@pytest.mark.parametrize("target", [(480, 352), (640, 360), (512, 256), (213, 119)])
def test_preprocess_is_opencv_area_within_a_step(target: tuple[int, int]) -> None:
    rng = np.random.default_rng(8)
    frame = cv2.GaussianBlur(rng.integers(0, 256, (720, 1280, 3)).astype(np.uint8), (0, 0), 1.5)
    frame[:, ::16] = 255
    out = np.empty((target[1], target[0], 3), np.uint8)
    _native.PreprocessPlan((1280, 720), target).run(frame, out)
    area = cv2.cvtColor(cv2.resize(frame, target, interpolation=cv2.INTER_AREA), cv2.COLOR_BGR2RGB)
    difference = np.abs(out.astype(int) - area.astype(int))
    assert difference.max() <= 1 and difference.mean() < 0.1


@pytest.mark.parametrize("code", [cv2.COLOR_YUV2BGR_YUY2, cv2.COLOR_YUV2BGR_NV12])
def test_preprocess_yuv_has_opencv_colours(code: int) -> None:
    rng = np.random.default_rng(9)
    yuyv = code == cv2.COLOR_YUV2BGR_YUY2
    frame = np.empty((240, 320, 2) if yuyv else (360, 320), np.uint8)
    frame[:] = rng.integers(16, 236, frame.shape)
    blurred = np.empty_like(frame)
    if yuyv:
        blurred[..., 0] = cv2.blur(frame[..., 0], (9, 9))
        chroma = cv2.blur(frame[..., 1].reshape(240, 160, 2), (9, 9))
        blurred[..., 1] = chroma.reshape(240, 320)
    else:
        blurred[:240] = cv2.blur(frame[:240], (9, 9))
        blurred[240:] = cv2.blur(frame[240:].reshape(120, 160, 2), (9, 9)).reshape(120, 320)
    out = np.empty((120, 160, 3), np.uint8)
    plan = _native.PreprocessPlan((320, 240), (160, 120), None, "yuyv" if yuyv else "nv12")
    plan.run(blurred, out)
    bgr = cv2.resize(cv2.cvtColor(blurred, code), (160, 120), interpolation=cv2.INTER_AREA)
    difference = np.abs(out[..., ::-1].astype(int) - bgr.astype(int))
    assert difference.max() <= 3 and difference.mean() < 1


@pytest.mark.parametrize("size", [(480, 352), (1029, 3), (33, 20), (7, 2), (1, 1), (2049, 5)])
@pytest.mark.usefixtures("level")
def test_scene_stats_equal_reference(size: tuple[int, int]) -> None:
    rng = np.random.default_rng(10)
    rgb = rng.integers(0, 256, (size[1], size[0], 3)).astype(np.uint8)
    rgb[: size[1] // 2] = 255 * (rgb[: size[1] // 2] > 127)
    assert _native.scene_stats(rgb) == kernels_reference.scene_stats(rgb)
    rgb = np.where(rgb & 1, np.uint8(255), np.uint8(0))
    assert _native.scene_stats(rgb) == kernels_reference.scene_stats(rgb)


def test_scene_stats_of_flat_pictures() -> None:
    black, white = np.zeros((4, 6, 3), np.uint8), np.full((4, 6, 3), 255, np.uint8)
    assert _native.scene_stats(black)[:5] == (0.0, 0.0, 0.0, 1.0, 0.0)
    assert _native.scene_stats(white)[:5] == (255.0, 0.0, 0.0, 0.0, 1.0)
    # One pixel of luma 1: 4 there and -1 at three neighbours; the fourth is in the border.
    black[2, 3] = 1
    assert _native.scene_stats(black)[2] == (16 + 1 + 1 + 1) / 8


def test_content_hash_sees_order_and_length() -> None:
    a = np.random.default_rng(11).integers(0, 256, (20, 30, 3)).astype(np.uint8)
    swapped = a.copy()
    swapped[0, :8], swapped[0, 8:16] = a[0, 8:16], a[0, :8]
    longer = np.concatenate([a, np.zeros_like(a)])
    hashes = {_native.scene_stats(x)[5] for x in (a, swapped, longer, a[:, ::-1].copy())}
    assert len(hashes) == 4
    assert _native.scene_stats(a.copy())[5] == _native.scene_stats(a)[5]


@pytest.mark.parametrize("layout", ["bgr", "nv12"])
@pytest.mark.usefixtures("level")
def test_a_run_shared_by_threads_equals_the_reference(layout: str) -> None:
    rng = np.random.default_rng(11)
    shape = (240, 320, 3) if layout == "bgr" else (360, 320)
    frames = [rng.integers(0, 256, shape).astype(np.uint8) for _ in range(4)]
    expected = [kernels_reference.preprocess(f, (96, 64), layout=layout) for f in frames]
    plan = _native.PreprocessPlan((320, 240), (96, 64), None, layout)
    jobs: queue.SimpleQueue[int | None] = queue.SimpleQueue()

    def helper() -> None:
        while (job := jobs.get()) is not None:
            assert plan.finish(job) > 0

    helpers = [threading.Thread(target=helper) for _ in range(3)]  # one more than have room
    for thread in helpers:
        thread.start()
    canvas = np.full((66, 99, 3), 7, np.uint8)
    out = canvas[1:65, 2:98]  # rows are apart
    try:
        for i in range(400):
            out[:] = 0
            began_ns = now_ns()
            job = plan.start(frames[i % 4], out)
            for _ in helpers:
                jobs.put(job)
            done_ns = plan.finish(job, step_aside=i % 2 == 0)
            assert began_ns <= done_ns <= now_ns()
            np.testing.assert_array_equal(out, expected[i % 4])
    finally:
        for _ in helpers:
            jobs.put(None)
        for thread in helpers:
            thread.join(30)
    assert canvas[0].tolist() == canvas[65].tolist() == [[7] * 3] * 99
    assert (canvas[:, :2] == 7).all() and (canvas[:, 98:] == 7).all()


def test_a_run_that_is_done_lets_go_of_its_arrays() -> None:
    plan = _native.PreprocessPlan((32, 24), (16, 12))
    frame, out = np.zeros((24, 32, 3), np.uint8), np.empty((12, 16, 3), np.uint8)
    before = sys.getrefcount(frame), sys.getrefcount(out)
    job = plan.start(frame, out)
    assert sys.getrefcount(frame) > before[0]  # nobody may reuse it while it is read
    plan.finish(job)
    assert (sys.getrefcount(frame), sys.getrefcount(out)) == before
    done_ns = plan.finish(job)  # once more is harmless
    before_ns = now_ns()
    assert plan.finish(job, step_aside=True) == done_ns > 0
    assert now_ns() - before_ns >= 50_000  # meanwhile the other thread gets Python's lock
    with pytest.raises(ValueError, match="job: given 2, expected one that was started"):
        plan.finish(2)
