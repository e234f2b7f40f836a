"""Fixtures of the web server's tests: one server for those that do not disturb it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

pytest.importorskip("fastapi")

import httpx
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
