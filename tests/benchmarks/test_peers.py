from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks.__main__ import main
from benchmarks.peers import measure as peers
from benchmarks.peers.measure import PeersPlan, measure_peers, peers_table
from benchmarks.peers.plot import peers_plot


@pytest.fixture(scope="module")
def result(int8_file: Path) -> dict[str, Any]:
    """This environment stands in for .venv-peers: it has LiteRT and ZeroMQ, and no MediaPipe."""
    pytest.importorskip("zmq")
    plan = PeersPlan(str(int8_file), frames=2, rounds=2, each_round=3)
    before, peers.VENV = peers.VENV, Path(sys.prefix)
    try:
        return measure_peers(plan, progress=False)
    finally:
        peers.VENV = before


def test_peers_are_timed_and_their_masks_compared(result: dict[str, Any]) -> None:
    rows = {row["peer"]: row for row in result["rows"]}
    ours, loop = rows["roadmask"], rows["OpenCV + LiteRT + ZeroMQ"]
    for row in (ours, loop):
        assert 0 < row["ms"]["p50"] <= row["ms"]["p99"] and row["cpu_ms"] > 0
        assert row["rss_mib"] > 20 and row["fps"] > 0
        assert 0 <= row["miou"] <= 1
    assert ours["agreement"] == 1
    assert 0.5 < loop["agreement"] <= 1  # another resize, the same network


def test_what_cannot_run_says_why(result: dict[str, Any]) -> None:
    assert "mediapipe" in result["unavailable"]["MediaPipe ImageSegmenter"]
    text = peers_table(result)
    assert "not run: MediaPipe ImageSegmenter: " in text and "roadmask" in text


def test_the_plot_holds_every_scored_peer(result: dict[str, Any]) -> None:
    plot = peers_plot(result)
    assert plot.startswith("<svg") and plot.rstrip().endswith("</svg>")
    scored = [row for row in result["rows"] if row["miou"] is not None]
    assert len(scored) >= 2
    assert all(f">{row['peer']}, " in plot for row in scored)
    assert "<svg" in peers_plot(result | {"rows": []})


def test_without_their_environment_the_command_says_what_to_do(
    int8_file: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(peers, "VENV", tmp_path / "none")
    written = tmp_path / "p.json"
    assert main(["peers", str(int8_file), "--json", str(written)]) == 2
    error = capsys.readouterr().err.strip()
    assert "make setup-peers" in error and error.count("\n") == 0 and not written.exists()
    with pytest.raises(SystemExit, match="2"):
        main(["peers", str(int8_file), "--frames", "0"])
    assert "--frames 0" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.skipif(not (peers.VENV / "bin" / "python").exists(), reason="no .venv-peers")
def test_the_real_peers_agree(shipped_model: Path, tmp_path: Path) -> None:
    written, plot = tmp_path / "p.json", tmp_path / "p.svg"
    arguments = ["--frames", "4", "--rounds", "1", "--json", str(written), "--plot", str(plot)]
    assert main(["peers", str(shipped_model), *arguments]) == 0
    rows = {row["peer"]: row for row in json.loads(written.read_text())["rows"]}
    for peer in ("MediaPipe ImageSegmenter", "OpenCV + OpenVINO + ZeroMQ"):
        assert rows[peer]["agreement"] > 0.95
    assert plot.stat().st_size > 1000


def test_the_model_is_read_as_the_command_says(
    int8_file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(peers, "VENV", Path(sys.prefix))
    for command in ("peers", "camera"):
        assert main([command, str(int8_file), "--labels", "cityscapes-19"]) == 2
        assert "--labels" in capsys.readouterr().err
        assert main([command, str(int8_file), "--output", "nothing"]) == 2
        assert "nothing" in capsys.readouterr().err
