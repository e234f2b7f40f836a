"""The gallery and the comparison, over a real server and a real peer."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from web_parts import decoded, encoded, engines_own, server, town_picture

from roadmask.data.datasets import open_dataset
from roadmask.evaluation.metrics import ConfusionMatrix
from roadmask.imaging.overlay import colours


def from_uri(uri: str) -> Any:
    return decoded(base64.b64decode(uri.removeprefix("data:image/png;base64,")))


@pytest.fixture(scope="module")
def camvid(camvid_folder: Path, url: str, tmp_path_factory: Any) -> Iterator[httpx.Client]:
    """A server with a small data set, and the session's server as its peer."""
    peers = ("--peer", f"desk={url}", "--peer", "gone=http://127.0.0.1:9")
    with (
        server("--dataset", "camvid", "--root", camvid_folder, *peers) as (base, _),
        httpx.Client(base_url=base, timeout=60) as client,
    ):
        yield client


def test_listing(camvid: httpx.Client) -> None:
    page = camvid.get("/gallery").json()
    assert [item["id"] for item in page["items"]] == ["C_0000", "C_0001", "C_0002"]
    assert (page["dataset"], page["split"], page["total"]) == ("camvid", "val", 3)
    found = camvid.get("/gallery?query=c_0001").json()
    assert found["matching"] == 1 and found["items"][0]["id"] == "C_0001"
    assert camvid.get("/gallery?offset=2&limit=5").json()["items"][0]["id"] == "C_0002"
    assert camvid.get("/config").json()["gallery"] == {
        "dataset": "camvid", "split": "val", "count": 3
    }  # fmt: skip


def test_a_frame_is_predicted_and_scored(
    camvid: httpx.Client, camvid_folder: Path, shipped_model: Path
) -> None:
    sample = open_dataset("camvid", camvid_folder, "val")[1]
    answer = camvid.get("/gallery/C_0001").json()
    mask = engines_own(shipped_model, sample.image)[0]
    assert np.array_equal(from_uri(answer["mask"]), mask)
    matrix = ConfusionMatrix()
    matrix.update(sample.mask, mask)
    report = matrix.report()
    assert answer["scores"]["miou"] == report["miou"]
    assert answer["scores"]["dice"] == report["dice"]
    assert (answer["previous"], answer["next"]) == ("C_0000", "C_0002")
    assert np.array_equal(decoded(camvid.get(answer["image"]).content), sample.image)
    assert np.array_equal(decoded(camvid.get(answer["truth"]).content), sample.mask)
    coloured = camvid.get(answer["truth"] + "?format=color").content
    assert np.array_equal(decoded(coloured), colours(sample.mask))
    small = camvid.get(answer["image"] + "?width=48")
    assert small.headers["content-type"] == "image/jpeg"
    assert decoded(small.content).shape == (36, 48, 3)


@pytest.mark.parametrize(
    "path", ["/gallery/nope", "/gallery/..%2F..%2Fetc%2Fpasswd/image", "/gallery/%2e%2e/truth"]
)
def test_an_id_is_looked_up(camvid: httpx.Client, path: str) -> None:
    answer = camvid.get(path)
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"


def test_models_of_peers_are_listed_and_one_that_is_gone_says_so(camvid: httpx.Client) -> None:
    models = {model["name"]: model for model in camvid.get("/models").json()["models"]}
    assert set(models) == {"roadlite-288x224", "roadlite-288x224@desk", "@gone"}
    here, there = models["roadlite-288x224"], models["roadlite-288x224@desk"]
    assert there["digest"] == here["digest"] and there["peer"] == "desk"
    assert there["scores"]["int8"]["miou"] > 0.5
    assert not models["@gone"]["available"] and "gone" in models["@gone"]["reason"]


def test_compare_with_a_peer(camvid: httpx.Client, shipped_model: Path) -> None:
    image = town_picture()
    names = {"a": "roadlite-288x224", "b": "roadlite-288x224@desk"}
    files = {"image": encoded(image), "truth": encoded(engines_own(shipped_model, image)[0])}
    answer = camvid.post("/compare", params=names, files=files).json()
    assert answer["agreement"] == 1 and not from_uri(answer["difference"]).any()
    for side in ("a", "b"):
        assert answer[side]["model"] == names[side] and answer[side]["invoke_ms"] > 0
        assert answer[side]["scores"]["miou"] == 1
        assert np.array_equal(from_uri(answer[side]["mask"]), engines_own(shipped_model, image)[0])
    frame = camvid.get("/gallery/C_0000/compare", params=names).json()
    assert frame["id"] == "C_0000" and frame["a"]["scores"] == frame["b"]["scores"]


def test_a_peer_that_is_gone_is_one_sentence(camvid: httpx.Client) -> None:
    query = {"a": "roadlite-288x224", "b": "roadlite-288x224@gone"}
    answer = camvid.get("/gallery/C_0000/compare", params=query)
    assert answer.status_code == 502 and "gone" in answer.json()["detail"]
    query["b"] = "nope@desk"
    answer = camvid.get("/gallery/C_0000/compare", params=query)
    assert answer.status_code == 404 and answer.json()["detail"].startswith("peer desk: ")
    for name in ("x@http://127.0.0.1", "x@", "@desk", "roadlite-288x224@elsewhere"):
        query["b"] = name
        assert camvid.get("/gallery/C_0000/compare", params=query).status_code == 404


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A data set whose pictures are larger than a network, or a JPEG, takes."""
    root = tmp_path_factory.mktemp("large")
    for folder in ("val", "valannot"):
        (root / folder).mkdir()
    for name, (height, width) in {"T_1": (70_000, 16), "W_1": (16, 70_000)}.items():
        (root / "val" / f"{name}.png").write_bytes(encoded(np.zeros((height, width, 3), np.uint8)))
        mask = encoded(np.full((height, width), 3, np.uint8))
        (root / "valannot" / f"{name}.png").write_bytes(mask)
    with (
        server("--dataset", "camvid", "--root", root) as (base, running),
        httpx.Client(base_url=base, timeout=60) as client,
    ):
        yield client
        running.terminate()
        assert running.stderr is not None and "Traceback" not in running.stderr.read()


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        ("/gallery/T_1/image?width=16", 422, "16x70000 px does not fit a JPEG: 1 to 65500 px"),
        ("/gallery/T_1/image?width=4096", 422, "16x70000 px does not fit a JPEG: 1 to 65500 px"),
        ("/gallery/T_1", 422, "16x70000 px: at most 16384 a side"),
        ("/gallery/W_1", 422, "70000x16 px: at most 16384 a side"),
        ("/gallery/T_1/image", 200, (70_000, 16, 3)),
        ("/gallery/T_1/truth?width=16", 200, (70_000, 16)),
        ("/gallery/W_1/image?width=1000", 200, (1, 1000, 3)),
    ],
)
def test_a_large_frame_is_a_picture_or_a_sentence(
    large: httpx.Client, path: str, status: int, words: Any
) -> None:
    answer = large.get(path)
    assert answer.status_code == status, answer.text
    if status == 200:
        assert decoded(answer.content).shape == words
    else:
        assert words in answer.json()["detail"]


def test_a_large_frame_fails_an_evaluation_by_one_sentence(large: httpx.Client) -> None:
    job = large.post("/evaluations", json={"a": "roadlite-288x224"}).json()
    while job["state"] == "running":
        job = large.get(f"/evaluations/{job['id']}").raise_for_status().json()
    assert job["state"] == "failed" and "at most 16384 a side" in job["reason"]
