"""Fixtures of the edge tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from roadmask import _native


@pytest.fixture(params=_native.kernel_levels())
def level(request: pytest.FixtureRequest) -> Iterator[str]:
    """Each instruction set that this CPU runs the kernels with."""
    before = _native.kernel_level()
    _native.set_kernel_level(request.param)
    yield request.param
    _native.set_kernel_level(before)
