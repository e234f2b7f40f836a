"""Fixtures of the edge tests."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path

import pytest

from roadmask import _native

_HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A warning in a test of the shipped package is an error, of what is left open too."""
    for item in items:
        if _HERE in item.path.parents:
            item.add_marker(pytest.mark.filterwarnings("error"))


@pytest.fixture(scope="module", autouse=True)
def _nothing_left_open() -> Iterator[None]:
    """What only circles of references still hold is told in the file that left it open."""
    yield
    gc.collect()


@pytest.fixture(params=_native.kernel_levels())
def level(request: pytest.FixtureRequest) -> Iterator[str]:
    """Each instruction set that this CPU runs the kernels with."""
    before = _native.kernel_level()
    _native.set_kernel_level(request.param)
    yield request.param
    _native.set_kernel_level(before)
