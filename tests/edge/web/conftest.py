"""Fixtures of the web server's tests: one server for those that do not disturb it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

pytest.importorskip("fastapi")

import httpx
from page_parts import start_chromium
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
