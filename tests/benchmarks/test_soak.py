"""The soak samples a real daemon under faults, and its verdict can fail."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from benchmarks.daemon.soak import Sample, main, slope_mib


def sample(frames: int, rss_mib: float) -> Sample:
    return Sample(frames / 10, frames, rss_mib, 0.0, 1, 1, None, None)


def test_growth_is_told_by_frames_without_the_beginning() -> None:
    flat = [sample(1000 * k, 90.0 if k < 2 else 100.0) for k in range(30)]
    assert slope_mib(flat) == pytest.approx(0.0, abs=1e-9)
    grows = [sample(1000 * k, 100 + 0.02 * k) for k in range(30)]
    assert slope_mib(grows) == pytest.approx(2.0)
    assert math.isnan(slope_mib([]))


@pytest.mark.slow
def test_a_short_soak(tmp_path: Path) -> None:
    file, picture = tmp_path / "soak.json", tmp_path / "soak.png"
    options = ["--hours", "0.02", "--model", "s", "--json", str(file), "--plot", str(picture)]
    assert main(options) in (0, 1)
    report = json.loads(file.read_text())
    assert report["frames"] > 0 and report["samples"] and picture.stat().st_size > 0
