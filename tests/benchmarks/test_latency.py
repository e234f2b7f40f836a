from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.__main__ import main
from benchmarks.daemon.latency import (
    LatencyPlan,
    _arguments,
    _paced,
    _paced_result,
    _unpaced,
    latency_table,
    measure_latency,
)
from benchmarks.daemon.saturated import _rate, bare_invoke_ns, bare_invokes_ms
from roadmask.errors import ConfigError, ModelError, RoadmaskError
from roadmask.inference.accelerator import Accelerator
from roadmask.inference.engine import Engine

_SMALL_TOWN = "synthetic:town?seed=1&width=160&height=96&prerender=4"


@pytest.fixture(scope="module")
def result(int8_file: Path) -> dict[str, Any]:
    return measure_latency(LatencyPlan(str(int8_file), _SMALL_TOWN, frames=40), progress=False)


def test_every_key_of_the_contract_is_filled(result: dict[str, Any]) -> None:
    percentiles = {"p50", "p95", "p99"}
    for key in (
        "invoke_ms",
        "frame_to_mask_ms",
        "overhead_ms",
        "subscriber_frame_to_mask_ms",
        "subscriber_overhead_ms",
        "bare_invoke_ms",
        "bare_invoke_paced_ms",
    ):
        assert set(result[key]) == percentiles and all(v > 0 for v in result[key].values()), key
    assert list(result["stages_ms"]) == ["capture", "preprocess", "infer", "postprocess", "publish"]
    for stage in result["stages_ms"].values():
        assert set(stage) == percentiles and None not in stage.values()
    for key in ("overhead_ratio", "fps", "bare_invoke_fps", "rss_mib", "startup_ms", "threads"):
        assert result[key] > 0, key
    assert result["device"] and result["threads"] == 1
    assert result["latency_class"] == "cpu" and not result["placement"]["fallback"]
    assert 0 < result["placement"]["on_xnnpack"] <= result["placement"]["operators"]
    assert latency_table(result).count("\n") >= 10


def test_the_parts_fit_together(result: dict[str, Any]) -> None:
    # What a subscriber in another process sees includes all that the daemon counts.
    frame_to_mask = result["frame_to_mask_ms"]["p50"]
    assert frame_to_mask > result["invoke_ms"]["p50"]
    assert result["overhead_ratio"] == pytest.approx(
        frame_to_mask / result["invoke_ms"]["p50"], rel=0.01
    )
    assert result["subscriber_overhead_ratio"] > 1
    assert len(result["fps_rounds"]) == len(result["bare_invoke_fps_rounds"]) >= 3


def test_stages_come_from_the_stamps() -> None:
    # Two frames, ms: captured 0, available 1, ready 2, taken 4, inferred 14, then 15, then 17.
    row = np.array([0, 0, 1, 2, 4, 14, 15, 17], np.int64) * 1_000_000
    result = _paced_result(np.stack([row, row]))
    p50 = {name: value["p50"] for name, value in result["stages_ms"].items()}
    assert p50 == {"capture": 1, "preprocess": 1, "infer": 10, "postprocess": 1, "publish": 2}
    assert result["handover_ms"]["p50"] == 2
    assert result["frame_to_mask_ms"]["p50"] == 16
    assert result["overhead_ms"]["p50"] == 6
    assert result["overhead_ratio"] == 1.6


def test_rates_leave_out_what_was_under_way() -> None:
    # A mask each 10 ms; the window holds those at 100 to 150 ms, the first two do not count.
    published = np.arange(0, 1000, 10, np.int64) * 1_000_000
    assert _rate(published, 95_000_000, 155_000_000) == pytest.approx(100)
    assert np.isnan(_rate(published, 95_000_000, 115_000_000))


def test_bare_invokes_take_time_and_keep_their_pace(int8_file: Path) -> None:
    engine = Engine(int8_file)
    assert bare_invoke_ns(engine, 3) > 0
    began = time.perf_counter()
    assert all(ms > 0 for ms in bare_invokes_ms(engine, 4, 50))
    assert time.perf_counter() - began >= 4 / 50
    assert len(bare_invokes_ms(engine, 3, 1e6)) == 3  # later than due from the first one on


def test_daemon_and_bare_network_are_told_the_same_accelerator(
    int8_file: Path, tmp_path: Path
) -> None:
    wanted = Accelerator("libx.so", ("device=usb", "a=b"), required=True)
    assert _arguments(LatencyPlan("net", accelerator=wanted))[4:] == [
        *("--delegate", "libx.so"),
        *("--delegate-option", "device=usb", "--delegate-option", "a=b"),
        "--delegate-required",
    ]
    assert _arguments(LatencyPlan("net", cores="0-1", accelerator=Accelerator(gpu=True)))[4:] == [
        *("--cores", "0-1", "--gpu")
    ]
    command = ["latency", str(int8_file), "--delegate", str(tmp_path / "none.so")]
    assert main([*command, "--delegate-required"]) == 2


@pytest.mark.parametrize(
    ("source", "paced", "unpaced"),
    [
        ("synthetic:town", "synthetic:town?fps=50.000", "synthetic:town?realtime=0"),
        ("synthetic:town?fps=5", "synthetic:town?fps=5", "synthetic:town?fps=5&realtime=0"),
        ("drive.mp4", "drive.mp4?fps=50.000&loop=1", "drive.mp4?realtime=0&loop=1"),
        ("v4l2:/dev/video0", "v4l2:/dev/video0", "v4l2:/dev/video0"),
        ("/dev/video0", "/dev/video0", "/dev/video0"),
    ],
)
def test_only_sources_that_can_be_paced_are(source: str, paced: str, unpaced: str) -> None:
    assert _paced(source, 50) == paced
    assert _unpaced(source) == unpaced


def test_unusable_plans_are_refused(int8_file: Path, tmp_path: Path) -> None:
    plans: list[tuple[LatencyPlan, type[RoadmaskError], str]] = [
        (LatencyPlan(str(tmp_path / "none.tflite")), ModelError, "missing"),
        (LatencyPlan(str(int8_file), "synthetic:moon"), RoadmaskError, "moon"),
        (LatencyPlan(str(int8_file), str(tmp_path / "no.mp4")), RoadmaskError, r"no\.mp4"),
    ]
    with pytest.raises(ConfigError, match="frames = 3"):
        LatencyPlan(str(int8_file), frames=3)
    for plan, kind, message in plans:
        with pytest.raises(kind, match=message):
            measure_latency(plan, progress=False)
