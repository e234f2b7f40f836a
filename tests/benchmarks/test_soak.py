"""The soak samples a real daemon under faults, and its verdict can fail."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from benchmarks.daemon.soak import Sample, main, slopes_mib


def sample(frames: int, rss_mib: float, network: int = 7, network_mib: float = 50.0) -> Sample:
    mib = (network, network_mib, 35.0)
    return Sample(frames / 10, frames, rss_mib, 0.0, 1, 1, None, None, *mib)


def test_growth_is_told_by_frames_without_the_beginning() -> None:
    flat = [sample(1000 * k, 90.0 if k < 2 else 100.0) for k in range(30)]
    assert slopes_mib(flat) == pytest.approx({"daemon": 0.0, "network": 0.0, "reader": 0.0})
    grows = [sample(1000 * k, 100 + 0.02 * k) for k in range(30)]
    assert slopes_mib(grows)["daemon"] == pytest.approx(2.0)
    assert all(math.isnan(slope) for slope in slopes_mib([]).values())


def test_each_process_of_the_network_is_measured_by_itself() -> None:
    """One that loads is not yet as large as it will be, and each has its own level."""
    lives = [sample(100 * k, 100.0, 1 + k // 50, 50 + k // 50 + 0.001 * k) for k in range(300)]
    lives[50:52] = [one._replace(network_mib=9.0) for one in lives[50:52]]  # 20 s: it loads
    lives[250:254] = [one._replace(network=0, network_mib=0.0) for one in lives[250:254]]
    assert slopes_mib(lives)["network"] == pytest.approx(1.0)


@pytest.mark.slow
def test_a_short_soak(tmp_path: Path) -> None:
    file, picture = tmp_path / "soak.json", tmp_path / "soak.png"
    options = ["--hours", "0.02", "--model", "s", "--json", str(file), "--plot", str(picture)]
    assert main(options) in (0, 1)
    report = json.loads(file.read_text())
    assert report["frames"] > 0 and report["samples"] and picture.stat().st_size > 0
