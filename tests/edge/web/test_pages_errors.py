"""The errors page in a real Chromium: a job to its end, the tables' numbers, a click to a frame."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from page_parts import Page, another_network, json_of, percent
from web_parts import server


@pytest.fixture
def page(chromium: Any, camvid_folder: Path, shipped_model: Path, tmp_path: Path) -> Iterator[Page]:
    other = another_network(shipped_model, tmp_path)
    arguments = ("--dataset", "camvid", "--root", camvid_folder, "--results", tmp_path / "results")
    with server(*arguments, "--model", shipped_model, "--model", other) as (base, _):
        page = Page(chromium, base).size(1280, 720)
        yield page
        page.open("about:blank")


def test_two_networks_over_the_whole_set(page: Page) -> None:
    page.open("/ui/errors").until("document.querySelector('#b').options.length == 3")
    page.js("document.querySelector('#b').selectedIndex = 2")
    page.element("#evaluate").click()
    page.until("document.querySelector('#found').dataset.shown", "the result")
    name = page.js("document.querySelector('#found').dataset.shown")
    with httpx.Client(base_url=page.base, timeout=60) as client:
        result = json_of(client, f"/evaluations/{name}/result")
    networks = result["networks"]
    table = page.table("#categories")
    for row, key in (("Mean IoU", "miou"), ("Pixel accuracy", "pixel_accuracy")):
        for cell, network in zip(table[row], networks, strict=False):
            assert cell.startswith(percent(network[key])), row
    assert table["flat"][0].startswith(percent(networks[0]["iou"]["flat"]))
    assert page.table("#groups")["C"][0] == "3"
    row = networks[0]["confusion"][1]
    assert page.table("#confusion")["flat"][1] == f"{100 * row[1] / sum(row):.1f}"
    # The diagram's bars are as high as the network is right, and as wide as their bounds.
    for figure, network in enumerate(networks):
        bins = network["confidence"]["bins"]
        bars = page.js(
            "[...document.querySelectorAll('#reliability figure')[arguments[0]]"
            ".querySelectorAll('.right')].map(bar => bar.getBBox().height)",
            figure,
        )
        assert bars == pytest.approx([240 * row["accuracy"] for row in bins], abs=0.01)
        points = f"{100 * network['confidence']['ece']:.2f} points"
        assert points in page.js(
            "document.querySelectorAll('#reliability figcaption')[arguments[0]].textContent", figure
        )
    # The worst frame first, or the one on which the two differ most.
    worst = min(networks[0]["frames"], key=lambda frame: frame["miou"])
    first = "document.querySelector('#frames tbody tr')"
    assert page.js(f"{first}.cells[0].textContent") == worst["id"]
    page.js(
        "(e => { e.value = 'differ'; e.dispatchEvent(new Event('change')) })"
        "(document.querySelector('#order'))"
    )
    least = min(range(3), key=lambda index: result["agreement"][index])
    assert page.js(f"{first}.cells[0].textContent") == networks[0]["frames"][least]["id"]
    page.js(f"{first}.querySelectorAll('a')[3].click()")
    page.until("document.querySelector('#stage')?.dataset.shown", "the comparison")
    assert page.js("document.querySelector('#frame').value") == networks[0]["frames"][least]["id"]


def test_an_earlier_result_stands_beside_it(page: Page) -> None:
    with httpx.Client(base_url=page.base, timeout=60) as client:
        a, b = (model["name"] for model in client.get("/models").json()["models"])
        for name in (a, b):
            job = client.post("/evaluations", json={"a": name}).json()
            done = f"/evaluations/{job['id']}"
            page.wait(lambda d=done: client.get(d).json()["state"] == "done", "an evaluation")  # type: ignore[misc]
        jobs = client.get("/evaluations").json()["jobs"]
        scores = [json_of(client, f"/evaluations/{job['id']}/result") for job in jobs]
    page.open(f"/ui/errors?id={jobs[0]['id']}").until(
        "document.querySelector('#found').dataset.shown"
    )
    page.js(
        "(e => { e.value = arguments[0]; e.dispatchEvent(new Event('change')) })"
        "(document.querySelector('#other'))",
        jobs[1]["id"],
    )
    page.until("document.querySelector('#categories thead').textContent.includes('Difference')")
    x, y = (score["networks"][0]["miou"] for score in scores)
    sign = "+" if x >= y else "−"
    assert page.table("#categories")["Mean IoU"][2] == f"{sign}{abs(100 * (x - y)):.2f}"
