"""Fixtures of the edge tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from roadmask import _native

_HERE = Path(__file__).parent
# What is left open is told when it is collected, which may be in another test than its own.
_ERRORS = ("error", "ignore::ResourceWarning")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A warning in a test of the shipped package is an error; the last filter that fits wins."""
    for item in items:
        if _HERE in item.path.parents:
            for told in _ERRORS:
                item.add_marker(pytest.mark.filterwarnings(told))


@pytest.fixture(params=_native.kernel_levels())
def level(request: pytest.FixtureRequest) -> Iterator[str]:
    """Each instruction set that this CPU runs the kernels with."""
    before = _native.kernel_level()
    _native.set_kernel_level(request.param)
    yield request.param
    _native.set_kernel_level(before)
