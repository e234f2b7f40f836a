"""What the kernels refuse: one message that says what was given and what was expected."""

from __future__ import annotations

import platform
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from roadmask import _native
from roadmask.inference.scores import confidence_table

EIGHT = np.arange(8, dtype=np.uint8)
LOGITS = np.zeros((4, 6, 8), np.int8)


def upsample(**changes: Any) -> _native.UpsamplePlan:
    arguments: dict[str, Any] = {
        "logits_size": (6, 4),
        "classes": 8,
        "size": (24, 16),
        "table": EIGHT,
    }
    return _native.UpsamplePlan(**{**arguments, **changes})


def mask(height: int = 16, width: int = 24, dtype: type = np.uint8) -> Any:
    return np.zeros((height, width), dtype)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"classes": 1}, "classes: given 1, expected 2 to 255"),
        ({"classes": 256}, "classes: given 256"),
        ({"first": 8}, "first: given 8, expected a class, 0 to 7"),
        ({"first": -1}, "first: given -1"),
        ({"size": (0, 16)}, "size: given 0 x 16, expected sides of 1 to 16384"),
        ({"logits_size": (6, 70000)}, "logits_size: given 6 x 70000"),
        ({"table": EIGHT[:7]}, r"table: given \(7,\) uint8, expected \(8,\) uint8"),
        ({"confidence_table": EIGHT}, r"confidence_table: .* expected \(256,\) uint8"),
        ({"threshold": 3}, "threshold: given 3 without a confidence_table"),
        ({"threshold": 256}, "threshold: given 256, expected 0 to 255"),
        ({"step": 0.0}, "step: expected a finite number over 0"),
        ({"step": float("nan")}, "step"),
    ],
)
def test_upsample_plan_refuses(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        upsample(**changes)


@pytest.mark.parametrize(
    ("logits", "out", "error", "message"),
    [
        (LOGITS[:3], mask(), ValueError, r"logits: given \(3, 6, 8\) int8, expected \(4, 6, 8\)"),
        (LOGITS[0], mask(), ValueError, r"given \(6, 8\) int8"),
        (LOGITS.astype(np.float64), mask(), TypeError, "expected .* int8 or float32"),
        (LOGITS.astype(np.int16), mask(), TypeError, "int8 or float32"),
        (LOGITS.astype(">f4"), mask(), TypeError, "int8 or float32"),
        (LOGITS[:, ::-1], mask(), ValueError, "not contiguous"),
        (np.zeros((4, 6, 16), np.int8)[..., ::2], mask(), ValueError, "not contiguous"),
        (LOGITS, mask(16, 25), ValueError, r"out: given \(16, 25\) uint8, expected \(16, 24\)"),
        (LOGITS, mask(dtype=np.int8), TypeError, r"out: .* expected \(16, 24\) uint8"),
        (LOGITS, mask(16, 48)[:, ::2], ValueError, "not contiguous"),
        (LOGITS, mask()[::-1], ValueError, "not contiguous"),
        (LOGITS, bytes(16 * 24), ValueError, "out: given"),
        (LOGITS, [1, 2], TypeError, "out: given a list, expected"),
        (None, mask(), TypeError, "logits: given a NoneType"),
    ],
)
def test_upsample_run_refuses(logits: Any, out: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        upsample().run(logits, out)


def test_read_only_and_broadcast_outputs_are_refused() -> None:
    out = mask()
    out.flags.writeable = False
    with pytest.raises(ValueError, match="read-only"):
        upsample().run(LOGITS, out)
    with pytest.raises(ValueError, match="not contiguous"):
        upsample().run(LOGITS, np.lib.stride_tricks.as_strided(mask(), (16, 24), (0, 1)))


def test_confidence_needs_a_table() -> None:
    with pytest.raises(ValueError, match="no confidence_table"):
        upsample().run(LOGITS, mask(), mask())
    plan = upsample(confidence_table=confidence_table(0.1))
    with pytest.raises(ValueError, match=r"confidence: given \(2, 24\)"):
        plan.run(LOGITS, mask(), mask(2))


@pytest.mark.parametrize(
    ("layout", "shape"),
    [("bgr", (48, 64)), ("bgr", (48, 64, 4)), ("grey", (48, 64, 1)), ("yuyv", (48, 64, 3)),
     ("nv12", (48, 64)), ("bgr", (47, 64, 3))],
)  # fmt: skip
def test_preprocess_refuses_another_shape(layout: str, shape: tuple[int, ...]) -> None:
    plan = _native.PreprocessPlan((64, 48), (16, 12), None, layout)
    with pytest.raises(ValueError, match="source: given"):
        plan.run(np.zeros(shape, np.uint8), np.zeros((12, 16, 3), np.uint8))


def test_preprocess_refuses() -> None:
    with pytest.raises(ValueError, match="layout: given 'rgb', expected bgr, grey, yuyv or nv12"):
        _native.PreprocessPlan((64, 48), (16, 12), None, "rgb")
    with pytest.raises(ValueError, match="given 63 x 48, expected even sides for yuyv"):
        _native.PreprocessPlan((63, 48), (16, 12), None, "yuyv")
    with pytest.raises(ValueError, match="given 64 x 47, expected even sides for nv12"):
        _native.PreprocessPlan((64, 47), (16, 12), None, "nv12")
    plan = _native.PreprocessPlan((64, 48), (16, 12))
    frame = np.zeros((48, 64, 3), np.uint8)
    with pytest.raises(TypeError, match=r"out: .* expected .* uint8 or int8"):
        plan.run(frame, np.zeros((12, 16, 3), np.float32))
    with pytest.raises(ValueError, match="not contiguous"):
        plan.run(frame, np.zeros((12, 32, 3), np.uint8)[:, ::2])
    with pytest.raises(ValueError, match="not contiguous"):
        plan.run(np.zeros((48, 128, 3), np.uint8)[:, ::2], np.zeros((12, 16, 3), np.uint8))


def test_nearest_map_refuses() -> None:
    out = np.zeros((4, 4), np.uint8)
    with pytest.raises(TypeError, match=r"ids: .* uint8, int32 or int64"):
        _native.nearest_map(np.zeros((2, 2), np.float32), out, EIGHT)
    with pytest.raises(ValueError, match="ids: given"):
        _native.nearest_map(np.zeros((1, 2, 2), np.int64), out, EIGHT)
    with pytest.raises(ValueError, match=r"ids: given \(0, 2\)"):
        _native.nearest_map(np.zeros((0, 2), np.int64), out, EIGHT)


def test_the_levels_are_those_of_the_processor() -> None:
    flags = set(Path("/proc/cpuinfo").read_text().split())
    expected = ["scalar"]
    if platform.machine() == "aarch64":
        expected.append("neon")
    if "avx2" in flags:
        expected.append("avx2")
        if {"avx512f", "avx512bw", "avx512vl", "avx512dq"} <= flags:
            expected.append("avx512")
    assert _native.kernel_levels() == expected


def test_levels() -> None:
    assert _native.kernel_levels()[0] == "scalar"
    assert _native.kernel_level() in _native.kernel_levels()
    with pytest.raises(ValueError, match="level: given 'mmx', expected one of scalar"):
        _native.set_kernel_level("mmx")


def test_memoryviews_are_taken() -> None:
    out = bytearray(16 * 24)
    view = memoryview(out).cast("B", (16, 24))
    assert upsample().run(LOGITS, view) == ([0, 384] + [0] * 6, 0)
    assert set(out) == {1}
