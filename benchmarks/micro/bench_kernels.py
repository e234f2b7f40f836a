"""The kernels beside the OpenCV and NumPy calls that users write: ``make bench``.

Each group is one job; compare within it, in one run, on one machine. What a kernel wrote is
checked against the other way once it is timed. OpenCV runs on one thread, as the kernels do. On a
machine with other work add ``--benchmark-timer=time.thread_time``: it leaves out preemption.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from roadmask import _native
from roadmask.arrays import U8
from roadmask.imaging.overlay import PALETTE_BGR
from roadmask.inference import reference_kernels as kernels_reference
from roadmask.inference.scores import confidence_table
from roadmask.town.town import Town

Benchmark = Callable[[Callable[[], Any]], Any]

CAMERA = (1280, 720)
NETWORK = (480, 352)
LOGITS = (120, 88)
EIGHT = np.arange(8, dtype=np.uint8)
LEVELS = _native.kernel_levels()


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    threads, level = cv2.getNumThreads(), _native.kernel_level()
    cv2.setNumThreads(1)
    yield
    cv2.setNumThreads(threads)
    _native.set_kernel_level(level)


@cache
def scene() -> tuple[U8, U8]:
    """A frame of the town and its mask."""
    frame = Town(1, *CAMERA).frame(40)
    return frame.image, frame.category_mask


@cache
def logits(classes: int) -> npt.NDArray[np.int8]:
    """int8 logits of that scene: soft at the edges, with a network's noise."""
    rng = np.random.default_rng(0)
    mask = cv2.resize(scene()[1], LOGITS, interpolation=cv2.INTER_NEAREST)
    one_hot = (mask[..., None] == np.arange(classes)).astype(np.float32)
    soft = cv2.GaussianBlur(one_hot, (0, 0), 1.0) * 90 - 40 + rng.normal(0, 3, one_hot.shape)
    quantized: npt.NDArray[np.int8] = np.clip(soft, -128, 127).astype(np.int8)
    return quantized


def resize_argmax(values: npt.NDArray[np.int8], size: tuple[int, int]) -> npt.NDArray[np.intp]:
    large = cv2.resize(values.astype(np.float32), size, interpolation=cv2.INTER_LINEAR)
    winners: npt.NDArray[np.intp] = np.argmax(large, 2)
    return winners


@pytest.mark.parametrize("how", [*LEVELS, "opencv+numpy"])
@pytest.mark.parametrize("classes", [8, 19])
@pytest.mark.parametrize("size", [NETWORK, CAMERA], ids=["network", "camera"])
def test_logits_to_mask(
    benchmark: Benchmark, how: str, classes: int, size: tuple[int, int]
) -> None:
    values = logits(classes)
    benchmark.group = f"logits {LOGITS} x {classes} to mask {size}"  # type: ignore[attr-defined]
    if how == "opencv+numpy":
        benchmark(lambda: resize_argmax(values, size).astype(np.uint8))
        return
    _native.set_kernel_level(how)
    table = (np.arange(classes) % 8).astype(np.uint8)
    plan = _native.UpsamplePlan(LOGITS, classes, size, table, 0)
    mask = np.empty(size[::-1], np.uint8)
    benchmark(lambda: plan.run(values, mask))
    assert (mask == table[resize_argmax(values, size)]).mean() > 0.99


@pytest.mark.parametrize("how", LEVELS)
def test_logits_to_mask_and_confidence(benchmark: Benchmark, how: str) -> None:
    benchmark.group = f"logits {LOGITS} x 8 to mask and confidence {NETWORK}"  # type: ignore[attr-defined]
    _native.set_kernel_level(how)
    table = confidence_table(0.15)
    plan = _native.UpsamplePlan(LOGITS, 8, NETWORK, EIGHT, 1, table)
    mask, confidence = np.empty((2, *NETWORK[::-1]), np.uint8)
    benchmark(lambda: plan.run(logits(8), mask, confidence))


def camera_frame(layout: str) -> U8:
    """The scene as a camera of that layout delivers it."""
    image = scene()[0]
    if layout == "bgr":
        return image
    yuv = cv2.cvtColor(image, cv2.COLOR_BGR2YUV_I420)
    height = image.shape[0]
    chroma = yuv[height:].reshape(2, height // 2, -1).transpose(1, 2, 0)
    if layout == "nv12":
        return np.concatenate([yuv[:height], chroma.reshape(height // 2, -1)])
    both_rows = chroma.reshape(height // 2, -1).repeat(2, 0)
    return np.ascontiguousarray(np.stack([yuv[:height], both_rows], -1))


def resize_convert(frame: U8, layout: str) -> U8:
    """What users write: area resize and a colour conversion, in the cheaper order."""
    if layout == "bgr":
        small = cv2.resize(frame, NETWORK, interpolation=cv2.INTER_AREA)
        return np.asarray(cv2.cvtColor(small, cv2.COLOR_BGR2RGB), np.uint8)
    code = cv2.COLOR_YUV2RGB_NV12 if layout == "nv12" else cv2.COLOR_YUV2RGB_YUY2
    whole = cv2.cvtColor(frame, code)
    return np.asarray(cv2.resize(whole, NETWORK, interpolation=cv2.INTER_AREA), np.uint8)


@pytest.mark.parametrize("how", [*LEVELS, "opencv"])
@pytest.mark.parametrize("layout", ["bgr", "yuyv", "nv12"])
def test_frame_to_tensor(benchmark: Benchmark, how: str, layout: str) -> None:
    frame = camera_frame(layout)
    benchmark.group = f"{layout} {CAMERA} to tensor {NETWORK}"  # type: ignore[attr-defined]
    if how == "opencv":
        benchmark(lambda: resize_convert(frame, layout))
        return
    _native.set_kernel_level(how)
    plan = _native.PreprocessPlan(CAMERA, NETWORK, None, layout)
    tensor = np.empty((*NETWORK[::-1], 3), np.uint8)
    benchmark(lambda: plan.run(frame, tensor))
    difference = np.abs(tensor.astype(int) - resize_convert(frame, layout).astype(int))
    assert difference.mean() < 1


@pytest.mark.parametrize("how", [*LEVELS, "numpy"])
@pytest.mark.parametrize("size", [(72, 56), LOGITS], ids=["s", "roadnet"])
def test_steady(benchmark: Benchmark, how: str, size: tuple[int, int]) -> None:
    values = np.ascontiguousarray(logits(8)[: size[1], : size[0]])
    guarded = (EIGHT >= 6).astype(np.uint8)
    benchmark.group = f"logits {size} x 8 steadied"  # type: ignore[attr-defined]
    expected, state = kernels_reference.steady(values, None, guarded, 1, 26214, 55)
    if how == "numpy":
        benchmark(lambda: kernels_reference.steady(values, state, guarded, 1, 26214, 55))
        return
    _native.set_kernel_level(how)
    plan, out = _native.SteadyPlan(size, guarded, 1, 26214, 55), np.empty_like(values)
    benchmark(lambda: plan.run(values, out))
    assert (out == expected).all()


@pytest.mark.parametrize("how", ["kernel", "numpy+opencv"])
def test_overlay(benchmark: Benchmark, how: str) -> None:
    image, mask = scene()
    benchmark.group = f"overlay {CAMERA}"  # type: ignore[attr-defined]
    out = np.empty_like(image)
    if how == "kernel":
        benchmark(lambda: _native.overlay(image, mask, PALETTE_BGR, 128, out))
    else:
        benchmark(lambda: cv2.addWeighted(image, 0.5, PALETTE_BGR[mask], 0.5, 0, out))


@pytest.mark.parametrize("how", [*LEVELS, "numpy"])
def test_scene_stats(benchmark: Benchmark, how: str) -> None:
    tensor = resize_convert(scene()[0], "bgr")
    benchmark.group = f"scene statistics {NETWORK}"  # type: ignore[attr-defined]
    if how == "numpy":
        benchmark(lambda: kernels_reference.scene_stats(tensor))
        return
    _native.set_kernel_level(how)
    benchmark(lambda: _native.scene_stats(tensor))
