"""Fixtures of the web server's tests: one server for those that do not disturb it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("fastapi")

import httpx
from page_parts import TOKEN, Page, another_network, log_in, start_chromium
from web_parts import server


@pytest.fixture(scope="session")
def url() -> Iterator[str]:
    """A server on loopback with the shipped model and the town, no token."""
    with server("--dataset", "town", "--socket", "/nonexistent/masks.sock") as (base, _):
        yield base


@pytest.fixture(scope="session")
def client(url: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=url, timeout=60) as client:
        yield client


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """One browser for every test of the pages."""
    driver = start_chromium()
    try:
        yield driver
    finally:
        driver.quit()


@pytest.fixture(scope="session")
def served(
    camvid_folder: Path, shipped_model: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """A server with a gallery of three small town frames and two networks."""
    folder = tmp_path_factory.mktemp("models")
    other = another_network(shipped_model, folder)
    (folder / "token").write_text(TOKEN)
    with server(
        *("--dataset", "camvid", "--root", camvid_folder, "--split", "val"),
        *("--model", shipped_model.stem, "--model", other, "--socket", "/nonexistent/masks.sock"),
        *("--token-file", folder / "token"),
    ) as (base, _):
        yield base


@pytest.fixture
def api(served: str) -> Iterator[httpx.Client]:
    token = {"Authorization": f"Bearer {TOKEN}"}
    with httpx.Client(base_url=served, timeout=60, headers=token) as client:
        yield client


@pytest.fixture
def page(chromium: Any, served: str) -> Iterator[Page]:
    """A page of that server after the login; its console is clean when the test is over."""
    page = Page(chromium, served).size(1280, 720).open("/labels")
    if page.js("location.pathname == '/login'"):
        log_in(page, TOKEN, "/labels")
    page.open("about:blank").complaints()
    yield page
    assert page.complaints() == []
