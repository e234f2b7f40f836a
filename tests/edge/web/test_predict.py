"""Predictions over HTTP are the engine's own, in every form."""

from __future__ import annotations

import base64
import io
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import cv2
import httpx
import numpy as np
import pytest
from daemon_parts import daemon
from network_parts import HEIGHT, WIDTH, constant_output
from web_parts import decoded, encoded, engines_own, server, town_picture

from roadmask.daemon.config import DaemonConfig
from roadmask.evaluation.metrics import ConfusionMatrix
from roadmask.imaging.overlay import colours, overlay
from roadmask.inference.model_file import METADATA_NAME, ModelInfo, write_metadata
from roadmask.stream.subscribe.subscriber import Subscriber
from roadmask.town.town import Town


def post(
    client: httpx.Client, data: bytes, path: str = "/predict/", **query: Any
) -> httpx.Response:
    return client.post(path, files={"image": ("frame", data)}, params=query)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp"])
def test_the_mask_is_the_engines_own(
    client: httpx.Client, shipped_model: Path, suffix: str
) -> None:
    data = encoded(town_picture(333, 187), suffix)
    answer = post(client, data)
    assert answer.status_code == 200 and answer.headers["content-type"] == "image/png"
    seen = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    mask = decoded(answer.content)
    assert mask.ndim == 2 and mask.dtype == np.uint8
    assert np.array_equal(mask, engines_own(shipped_model, seen)[0])  # type: ignore[arg-type]
    assert answer.headers["x-roadmask-size"] == "333x187"


def test_curl_writes_the_mask(url: str, shipped_model: Path, tmp_path: Path) -> None:
    image = town_picture()
    (tmp_path / "frame.png").write_bytes(encoded(image))
    subprocess.run(
        ["curl", "-sSf", "-F", "image=@frame.png", f"{url}/predict/", "-o", "mask.png"],
        cwd=tmp_path,
        check=True,
    )
    mask = decoded((tmp_path / "mask.png").read_bytes())
    assert np.array_equal(mask, engines_own(shipped_model, image)[0])


def test_forms(client: httpx.Client, shipped_model: Path) -> None:
    image = town_picture()
    data = encoded(image)
    mask, confidence = engines_own(shipped_model, image)
    assert np.array_equal(decoded(post(client, data, format="color").content), colours(mask))
    drawn = decoded(post(client, data, format="overlay", opacity=0.25).content)
    assert np.array_equal(drawn, overlay(image, mask, 0.25))
    with np.load(io.BytesIO(post(client, data, format="npz", confidence=True).content)) as arrays:
        assert np.array_equal(arrays["mask"], mask)
        assert np.array_equal(arrays["confidence"], confidence)
    answer = post(client, data, format="json", confidence=True).json()
    assert np.array_equal(from_uri(answer["mask"]), mask)
    assert np.array_equal(from_uri(answer["confidence"]), confidence)
    assert answer["size"] == [320, 180] and sum(answer["shares"].values()) == pytest.approx(1)
    assert answer["shares"]["flat"] == pytest.approx(float((mask == 1).mean()))
    assert answer["scores"] is None


def from_uri(uri: str) -> Any:
    return decoded(base64.b64decode(uri.removeprefix("data:image/png;base64,")))


@pytest.mark.parametrize("form", ["ids", "colours"])
def test_a_truth_is_scored(client: httpx.Client, shipped_model: Path, form: str) -> None:
    frame = Town(3, 320, 180).frame(5)
    truth = frame.category_mask if form == "ids" else colours(frame.category_mask)
    files = {"image": ("a", encoded(frame.image)), "truth": ("b", encoded(truth))}
    scores = client.post("/predict/?format=json", files=files).json()["scores"]
    matrix = ConfusionMatrix()
    mask = engines_own(shipped_model, frame.image)[0]
    matrix.update(frame.category_mask, mask)
    report = matrix.report()
    for key in ("miou", "iou", "dice", "pixel_accuracy"):
        assert scores[key] == report[key]
    difference = from_uri(scores["difference"])
    void = frame.category_mask == 0
    assert np.array_equal(difference[~void] == 0, (mask == frame.category_mask)[~void])
    assert (difference[void] == 128).all() and scores["scored_pixels"] == np.sum(~void)


@pytest.mark.parametrize("kind", [".png", ".webp", ".jpg"])
@pytest.mark.parametrize("size", [(1, 1), (7, 300), (8, 8)])
def test_a_truth_of_a_few_pixels_is_scored(
    client: httpx.Client, kind: str, size: tuple[int, int]
) -> None:
    """Whether EXIF turns it was seen at an eighth of its size, which was none: an answer of 500."""
    picture, truth = np.full((*size, 3), 120, np.uint8), np.ones(size, np.uint8)
    files = {"image": ("a", encoded(picture, kind)), "truth": ("b", encoded(truth))}
    answer = client.post("/predict/?format=json", files=files).raise_for_status()
    assert answer.json()["scores"]["scored_pixels"] == truth.size


def test_batch(client: httpx.Client, shipped_model: Path) -> None:
    images = [town_picture(frame=n) for n in (1, 2)]
    files = [("image", (f"../{n}.png", encoded(image))) for n, image in enumerate(images)]
    files.insert(1, ("image", ("bad.png", b"no picture")))
    answer = client.post("/predict/batch", files=files)
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.namelist() == ["000-0.png", "001-bad.txt", "002-1.png"]
        for name, image in zip(("000-0.png", "002-1.png"), images, strict=True):
            mask = engines_own(shipped_model, image)[0]
            assert np.array_equal(decoded(archive.read(name)), mask)
    items = client.post("/predict/batch?format=json", files=files).json()["predictions"]
    assert [item["name"] for item in items] == ["../0.png", "bad.png", "../1.png"]
    assert items[0]["prediction"] and items[1]["problem"]["status"] == 422


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_the_mask_is_what_the_daemon_publishes(
    client: httpx.Client, shipped_model: Path, tmp_path: Path, suffix: str
) -> None:
    data = encoded(town_picture(), suffix)
    picture = tmp_path / f"frame{suffix}"
    picture.write_bytes(data)
    config = DaemonConfig(
        source=f"{picture}?loop=1",
        model=str(shipped_model),
        socket=str(tmp_path / "masks.sock"),
        mask_size="camera",
        max_age_ms=5000,
    )
    with (
        daemon(config),
        Subscriber(config.socket, allow_not_live=True, max_age_ms=5000) as subscriber,
    ):
        mask = subscriber.receive(timeout_s=60)
        assert mask is not None, subscriber.reason_text
    assert np.array_equal(decoded(post(client, data).content), mask.pixels)


def test_a_picture_of_which_too_much_is_unknown_gets_no_mask(tmp_path: Path) -> None:
    """As in the daemon: over 0.1 % of the pixels without an answer, and there is no mask."""
    info = ModelInfo("holes", "cityscapes-8", (WIDTH, HEIGHT))
    models = []
    for name, known in (("holes", False), ("whole", True)):
        logits = np.zeros((1, HEIGHT, WIDTH, 8), np.float32)
        logits[..., 3] = 5
        if not known:
            logits[0, :2] = np.nan
        data = write_metadata(constant_output(logits), {METADATA_NAME: info.to_json().encode()})
        models += ["--model", tmp_path / f"{name}.tflite"]
        models[-1].write_bytes(data)
    picture = {"image": ("frame", encoded(town_picture()))}
    with server(*models, "--socket", tmp_path / "none.sock") as (base, _):
        answers = {
            name: httpx.post(f"{base}/predict/", files=picture, params={"model": name}, timeout=60)
            for name in ("holes", "whole")
        }
    assert answers["whole"].status_code == 200
    assert (decoded(answers["whole"].content) == 3).all()
    refused = answers["holes"]
    assert refused.status_code == 500, refused.text
    assert "gave nothing that can be read" in refused.text and "image/png" not in str(
        refused.headers
    )
