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

import pytest
from mcap.reader import make_reader
from prometheus_client.parser import text_string_to_metric_families
from run_parts import Running, running
from stream_parts import wait_for

import roadmask
from roadmask.cli.main import main
from roadmask.daemon.metrics import _Now
from roadmask.stream.modes import Mode, Reason

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


def test_a_scrape_sees_no_half_of_a_change() -> None:
    now = _Now()
    families = now.collect()
    seen = [next(families)]
    now.mode, now.model = (Mode.OK, Reason.NONE), ("own", "1" * 64)  # while it is being read
    seen += families
    true = [sample.labels for family in seen for sample in family.samples if sample.value]
    assert true == [{"mode": "FAULT"}, {"reason": "STARTING"}]
    true = [sample.labels for family in now.collect() for sample in family.samples if sample.value]
    assert true == [{"name": "own", "sha256": "1" * 64}, {"mode": "OK"}]


BOARD = Path(roadmask.__file__).parent / "service" / "grafana.json"
SCRAPED = {"instance", "job"}  # that Prometheus adds


def targets() -> list[dict[str, str]]:
    panels = json.loads(BOARD.read_text())["panels"]
    return [target for panel in panels for target in panel["targets"]]


def test_the_dashboard_asks_for_what_there_is(tmp_path: Path) -> None:
    """Of every expression: its metrics, the labels that it names, and what is done to them."""
    with running(tmp_path / "masks.sock", "--source", TOWN, "--metrics", "127.0.0.1:0") as daemon:
        wait_for(lambda: "roadmask_model_info{" in scrape(daemon), "the model")
        families = list(text_string_to_metric_families(scrape(daemon)))
    kinds = {s.name: f.type for f in families for s in f.samples}
    labels = {s.name: set(s.labels) for f in families for s in f.samples}
    for target in targets():
        expression = target["expr"]
        selectors = re.findall(r"([a-z]\w+)\{([^}]*)\}", expression)
        assert selectors and 'instance=~"$instance"' in expression, expression
        for name, matchers in selectors:
            assert name in labels, f"{expression}: no {name}"
            known = labels[name] | SCRAPED
            assert set(re.findall(r"(\w+)\s*[=!]", matchers)) <= known, expression
            grouped = re.search(r"by \(([^)]*)\)", expression)
            kept = {each.strip() for each in grouped[1].split(",")} if grouped else known
            assert kept <= known, expression
            assert set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"])) <= kept, expression
            if "histogram_quantile(" in expression:
                assert name.endswith("_bucket") and "le" in kept, expression
            counts = kinds[name] in ("counter", "histogram")
            assert counts == bool(re.search(r"\b(rate|increase)\(", expression)), expression
    (variable,) = [v for v in variables() if v["type"] == "query"]
    asked = re.fullmatch(r"label_values\((\w+), instance\)", str(variable["query"]))
    assert asked is not None and asked[1] in labels


def variables() -> list[dict[str, object]]:
    found: list[dict[str, object]] = json.loads(BOARD.read_text())["templating"]["list"]
    return found


def test_the_dashboard_is_one_that_grafana_takes() -> None:
    """By its dashboard schema, version 39 (Grafana 10.3 and later)."""
    board = json.loads(BOARD.read_text())
    assert board["title"] and board["schemaVersion"] >= 39 and 0 < len(board["uid"]) <= 40
    source, instance = variables()
    assert (source["type"], source["query"]) == ("datasource", "prometheus")
    given = {"type": "prometheus", "uid": "${" + str(source["name"]) + "}"}
    assert (instance["name"], instance["datasource"]) == ("instance", given)
    panels = board["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken = set()
    for panel in panels:
        assert panel["type"] == "timeseries" and panel["title"] and panel["datasource"] == given
        assert panel["fieldConfig"]["defaults"]["unit"] and panel["fieldConfig"]["overrides"] == []
        place = panel["gridPos"]
        assert place["x"] >= 0 and place["x"] + place["w"] <= 24, panel["title"]
        squares = {
            (place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])
        }
        assert squares and not squares & taken, f"{panel['title']} lies over another"
        taken |= squares
        names = [target["refId"] for target in panel["targets"]]
        assert names == [*"ABCDEFGH"][: len(names)] and names
    uses = set(re.findall(r"\$\{?(\w+)", BOARD.read_text())) - {"__all"}
    assert uses == {"source", "instance"}, "every variable that is used is there"


def test_the_dashboards_expressions_are_promql(tmp_path: Path) -> None:
    if shutil.which("promtool") is None:
        pytest.skip("no promtool: apt-get install prometheus")
    rules = [
        {"record": f"r{number}", "expr": target["expr"].replace("$instance", ".*")}
        for number, target in enumerate(targets())
    ]
    file = tmp_path / "rules.yml"
    file.write_text(json.dumps({"groups": [{"name": "board", "rules": rules}]}))
    made = subprocess.run(["promtool", "check", "rules", str(file)], capture_output=True, text=True)
    assert made.returncode == 0 and f"{len(rules)} rules found" in made.stdout, made.stderr


def test_a_fault_leaves_the_minute_round_it_on_disk(tmp_path: Path) -> None:
    path, folder = tmp_path / "masks.sock", tmp_path / "flight"
    # A mask that is late on a busy machine is no second fault, which had a file of its own.
    patient = ("--max-age-ms", "60000")
    with running(path, "--source", TOWN, "--flight", str(folder), *patient) as daemon:
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
