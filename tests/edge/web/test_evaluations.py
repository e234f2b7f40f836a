"""A whole split as a job: its numbers are the benchmark's, and come back from where they lie."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from page_parts import PATIENCE_S, another_network
from stream_parts import wait_for
from web_parts import decoded, server

from benchmarks.model.accuracy import accuracy_result, measure_accuracy
from benchmarks.model.confidence import ConfidenceMeter
from roadmask.data.datasets import open_dataset
from roadmask.inference.engine import Engine
from roadmask.inference.predictor import Predictor
from roadmask.town.export import write_cityscapes


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Cityscapes tree of the town: nine frames of two cities, with instances."""
    root = tmp_path_factory.mktemp("tree") / "town"
    write_cityscapes(root, train=0, val=9, width=160, height=80)
    return root


@pytest.fixture(scope="module")
def networks(shipped_model: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return [shipped_model, another_network(shipped_model, tmp_path_factory.mktemp("other"))]


def serving(town: Path, results: object, networks: list[Path], **environment: str) -> Any:
    models = [part for path in networks for part in ("--model", path)]
    return server(
        *("--dataset", "cityscapes", "--root", town, "--socket", "/nonexistent/s"),
        *("--results", results),
        *models,
        **environment,
    )


def client_of(base: str) -> httpx.Client:
    return httpx.Client(base_url=base, timeout=PATIENCE_S)


def evaluated(client: httpx.Client, **wanted: Any) -> dict[str, Any]:
    """A job to its end."""
    begun = client.post("/evaluations", json=wanted)
    assert begun.status_code == 202, begun.text
    name = begun.json()["id"]

    def ended() -> Any:
        info = client.get(f"/evaluations/{name}").json()
        return info if info["state"] != "running" else None

    found: dict[str, Any] = wait_for(ended, "the evaluation's end")
    return found


@pytest.fixture(scope="module")
def done(
    town: Path, networks: list[Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[httpx.Client, dict[str, Any], Path]]:
    """A server, a finished job of both networks, and the folder that it was written to."""
    folder = tmp_path_factory.mktemp("results")
    with serving(town, folder, networks) as (base, _), client_of(base) as client:
        a, b = (model["name"] for model in client.get("/models").json()["models"])
        info = evaluated(client, a=a, b=b, masks=True)
        assert info["state"] == "done", info
        yield client, info, folder


def close(a: Any, b: Any) -> bool:
    """The same but for 1e-9, None where the other is None."""
    if isinstance(a, dict):
        return set(a) == set(b) and all(close(a[key], b[key]) for key in a)
    return a is b is None or abs(a - b) <= 1e-9


def test_the_numbers_are_the_benchmarks(
    done: tuple[httpx.Client, dict[str, Any], Path], town: Path, networks: list[Path]
) -> None:
    client, info, _ = done
    result = client.get(f"/evaluations/{info['id']}/result").json()
    dataset = open_dataset("cityscapes", town, "val")
    for path, found in zip(networks, result["networks"], strict=True):
        engine = Engine(path)
        meter = ConfidenceMeter(engine)
        matrix = measure_accuracy(engine, dataset, progress=False, confidence=meter)
        expected = accuracy_result(engine, matrix, dataset, "val", confidence=meter)
        assert expected["calibration_error"] > 0.001
        assert close(found["confidence"]["ece"], expected["calibration_error"])
        assert close(found["confidence"]["mean"], expected["confidence"]["mean"])
        bins = zip(found["confidence"]["bins"], expected["confidence"]["bins"], strict=True)
        assert all(close(a, b) for a, b in bins)
        for key in ("miou", "iou", "iiou", "dice", "pixel_accuracy", "images"):
            assert close(found[key], expected[key]), key
        assert found["digest"] == engine.digest
        confusion = np.array(found["confusion"])
        assert confusion[1:].sum() == sum((s.mask > 0).sum() for s in dataset)
        low, high = found["interval"]
        assert low <= found["miou"] <= high and low < high
        assert sum(group["images"] for group in found["groups"]) == 9
        assert len(found["groups"]) == 2
    masks = [[Predictor(Engine(path)).mask(s.image) for s in dataset] for path in networks]
    alike = [float(np.mean(a == b)) for a, b in zip(*masks, strict=True)]
    assert result["agreement"] == pytest.approx(alike, abs=1e-12)


def test_the_files_hold_the_same(done: tuple[httpx.Client, dict[str, Any], Path]) -> None:
    client, info, folder = done
    result = client.get(f"/evaluations/{info['id']}/result").json()
    here = folder / info["id"]
    assert info["stored"] == str(here)
    assert json.loads((here / "result.json").read_text()) == result
    rows = list(csv.DictReader(io.StringIO((here / "frames.csv").read_text())))
    frames = [(n["model"], f) for n in result["networks"] for f in n["frames"]]
    assert [(row["model"], row["id"], float(row["miou"])) for row in rows] == [
        (model, frame["id"], frame["miou"]) for model, frame in frames
    ]
    page = (here / "report.html").read_text()
    assert all(network["model"] in page for network in result["networks"])
    answer = client.get(f"/evaluations/{info['id']}/result?format=html")
    assert answer.text == page and "'none'" in answer.headers["content-security-policy"]


def test_the_masks_are_a_data_set(
    done: tuple[httpx.Client, dict[str, Any], Path],
    town: Path,
    networks: list[Path],
    tmp_path: Path,
) -> None:
    _, info, folder = done
    shutil.copytree(folder / info["id"] / "masks-b", tmp_path / "set")
    shutil.copytree(town / "leftImg8bit", tmp_path / "set" / "leftImg8bit")
    shutil.rmtree(tmp_path / "set" / "leftImg8bit" / "train", ignore_errors=True)
    labelled = open_dataset("cityscapes", tmp_path / "set", "val", labels="cityscapes-8")
    predictor = Predictor(Engine(networks[1]))
    assert len(labelled) == 9
    for sample in labelled:
        assert np.array_equal(sample.label_ids, predictor.mask(sample.image))


def test_another_server_reads_it_back(
    done: tuple[httpx.Client, dict[str, Any], Path], town: Path, networks: list[Path]
) -> None:
    before, info, folder = done
    (folder / "odd").mkdir(exist_ok=True)
    (folder / "odd" / "result.json").write_text("{}")
    with serving(town, folder, networks[:1]) as (base, _), client_of(base) as client:
        listed = {job["id"] for job in client.get("/evaluations").json()["jobs"]}
        assert listed == {info["id"], "odd"}
        same = client.get(f"/evaluations/{info['id']}/result").json()
        assert same == before.get(f"/evaluations/{info['id']}/result").json()
        assert client.get(f"/evaluations/{info['id']}").json()["done"] == 9
        answer = client.get("/evaluations/odd/result")
        assert answer.status_code == 422 and "result.json" in answer.json()["detail"]
        for name in ("nothing", "..", "%2e%2e%2f" + info["id"]):
            assert client.get(f"/evaluations/{name}/result").status_code == 404


def test_one_at_a_time_and_cancelled(
    camvid_folder: Path, networks: list[Path], tmp_path: Path
) -> None:
    with (
        server("--dataset", "town", "--results", tmp_path, "--socket", tmp_path / "s") as (base, _),
        client_of(base) as client,
    ):
        name = client.get("/models").json()["default"]
        begun = client.post("/evaluations", json={"a": name}).json()
        second = client.post("/evaluations", json={"a": name})
        assert second.status_code == 503 and "retry-after" in second.headers
        cancelled = client.post(f"/evaluations/{begun['id']}/cancel").json()
        assert cancelled["state"] == "cancelled" and cancelled["done"] < 200
        assert client.get(f"/evaluations/{begun['id']}/result").status_code == 404

        def again() -> bool:
            return client.post("/evaluations", json={"a": name}).status_code == 202

        wait_for(again, "room for another")
        assert client.post("/evaluations", json={"a": "nobody"}).status_code == 404
    assert list(tmp_path.iterdir()) == [], "nothing half-written"


def test_what_cannot_be_done_is_said(client: httpx.Client, town: Path, tmp_path: Path) -> None:
    name = client.get("/models").json()["default"]
    answer = client.post("/evaluations", json={"a": name, "masks": True})
    assert answer.status_code == 422 and "--results" in answer.json()["detail"]
    with server("--socket", tmp_path / "s") as (base, _), client_of(base) as other:
        answer = other.post("/evaluations", json={"a": name})
        assert answer.status_code == 404 and "--dataset" in answer.json()["detail"]


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], list[str]]]:
    """An S3 server with a bucket, and what lies in it below a prefix."""
    moto = pytest.importorskip("moto.server")
    s3fs = pytest.importorskip("s3fs")
    store = moto.ThreadedMotoServer("127.0.0.1", 0)
    store.start()
    host, port = store.get_host_and_port()
    # Its buckets are the process's: another test's lie there too.
    httpx.post(f"http://{host}:{port}/moto-api/reset", timeout=60).raise_for_status()
    for name, value in {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "none",
        "AWS_SECRET_ACCESS_KEY": "none",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    files = s3fs.S3FileSystem(skip_instance_cache=True)
    files.mkdir("bucket")
    yield lambda prefix: sorted(files.find(f"bucket/{prefix}"))
    store.stop()


def test_an_object_store_takes_it_and_gives_it_back(
    bucket: Callable[[str], list[str]], town: Path, networks: list[Path]
) -> None:
    where = "s3://bucket/results"
    environment = {name: value for name, value in os.environ.items() if name.startswith("AWS_")}
    with serving(town, where, networks, **environment) as (base, _), client_of(base) as client:
        name = client.get("/models").json()["default"]
        info = evaluated(client, a=name, masks=True)
        assert info["state"] == "done" and info["stored"] == f"{where}/{info['id']}"
        result = client.get(f"/evaluations/{info['id']}/result").json()
    found = [path.partition(f"{info['id']}/")[2] for path in bucket("results")]
    assert {"result.json", "frames.csv", "report.html"} <= set(found) and len(found) == 3 + 9
    with serving(town, where, networks, **environment) as (base, _), client_of(base) as client:
        assert client.get(f"/evaluations/{info['id']}/result").json() == result


@pytest.mark.slow
def test_a_network_of_another_server_over_the_whole_split(
    town: Path, networks: list[Path], tmp_path: Path
) -> None:
    """The original use: two networks on two hosts."""
    with (
        server("--model", networks[1], "--socket", tmp_path / "s") as (desk, _),
        server(
            *("--dataset", "cityscapes", "--root", town, "--socket", tmp_path / "s"),
            *("--peer", f"desk={desk}"),
        ) as (base, _),
        client_of(base) as client,
    ):
        a, b = (model["name"] for model in client.get("/models").json()["models"])
        info = evaluated(client, a=a, b=b)
        result = client.get(f"/evaluations/{info['id']}/result").json()
        dataset = open_dataset("cityscapes", town, "val")
        expected = measure_accuracy(Engine(networks[1]), dataset, progress=False).report()
        assert close(result["networks"][1]["miou"], expected["miou"])
        assert all(network["confidence"]["bins"] for network in result["networks"])


def test_a_mask_is_a_plain_png(done: tuple[httpx.Client, dict[str, Any], Path]) -> None:
    _, info, folder = done
    mask = next((folder / info["id"] / "masks-a").rglob("*.png"))
    assert decoded(mask.read_bytes()).ndim == 2
