"""Metrics and the flight recorder of a real daemon."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import urllib.request
from collections import Counter
from pathlib import Path

from mcap.reader import make_reader
from prometheus_client.parser import text_string_to_metric_families
from run_parts import Running, running
from stream_parts import wait_for

from roadmask.cli.main import main

TOWN = "synthetic:town?seed=1&width=320&height=240&prerender=4&fps=30"


def scrape(daemon: Running) -> str:
    daemon.said("metrics at http://")
    (line,) = [line for line in daemon.lines if "metrics at" in line]
    address = re.search(r"http://\S+", line)
    assert address is not None
    with urllib.request.urlopen(address[0], timeout=20) as answer:
        return str(answer.read().decode())


def test_prometheus_is_told_what_the_daemon_does(tmp_path: Path) -> None:
    path = tmp_path / "masks.sock"
    with running(path, "--source", TOWN, "--metrics", "127.0.0.1:0") as daemon:

        def value(name: str, /, **labels: str) -> float:
            families = {f.name: f for f in text_string_to_metric_families(scrape(daemon))}
            samples = [s for f in families.values() for s in f.samples if s.name == name]
            return sum(s.value for s in samples if labels.items() <= s.labels.items())

        wait_for(lambda: value("roadmask_frames_total") > 10, "frames")
        assert value("roadmask_stage_seconds_count", stage="network") > 10
        assert value("roadmask_mask_age_seconds_count") > 10
        assert value("roadmask_model_info", name="roadlite-288x224") == 1
        assert value("roadmask_mode") == 1, "one mode at a time"
        assert value("process_resident_memory_bytes") > 1e6
        os.kill(daemon.engines()[0], signal.SIGKILL)
        wait_for(lambda: value("roadmask_engine_restarts_total") == 1, "the new engine")
        wait_for(lambda: value("roadmask_mode_changes_total", mode="FAULT") >= 1, "the fault")
        if shutil.which("promtool") is not None:
            check = ["promtool", "check", "metrics"]
            result = subprocess.run(check, input=scrape(daemon), capture_output=True, text=True)
            assert result.returncode == 0, result.stderr


def test_the_dashboard_asks_for_what_there_is(tmp_path: Path) -> None:
    import roadmask

    board = Path(roadmask.__file__).parent / "service" / "grafana.json"
    asked = set(re.findall(r"roadmask_\w+", board.read_text()))
    with running(tmp_path / "masks.sock", "--source", TOWN, "--metrics", "127.0.0.1:0") as daemon:
        wait_for(lambda: "roadmask_model_info{" in scrape(daemon), "the model")
        given = set(re.findall(r"^(roadmask_\w+)", scrape(daemon), re.MULTILINE))
    assert asked and asked <= given | {"roadmask_mode_changes_total"}
    assert json.loads(board.read_text())["panels"]


def test_a_fault_leaves_the_minute_round_it_on_disk(tmp_path: Path) -> None:
    path, folder = tmp_path / "masks.sock", tmp_path / "flight"
    with running(path, "--source", TOWN, "--flight", str(folder)) as daemon:
        daemon.said("roadmask: OK")
        os.kill(daemon.engines()[0], signal.SIGKILL)
        daemon.said("flight recorder: the minute before is in")
    (file,) = folder.iterdir()
    topics: Counter[str] = Counter()
    modes = []
    with file.open("rb") as stream:
        for _, channel, message in make_reader(stream).iter_messages():
            topics[channel.topic] += 1
            if channel.topic == "/modes":
                modes.append(json.loads(message.data)["mode"])
    assert set(topics) == {"/headers", "/modes", "/statistics", "/pictures"}
    assert "FAULT INFERENCE_FAILED" in modes


def test_an_address_that_is_taken_is_one_line(tmp_path: Path) -> None:
    socket = str(tmp_path / "masks.sock")
    run = ["run", "--source", TOWN, "--socket", socket, "--metrics", "192.0.2.1:1"]
    assert main(run) == 2
