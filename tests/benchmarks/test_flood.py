"""The flood's verdict: a machine too busy to tell is no failure, and no pass by another name."""

from __future__ import annotations

import pytest

from benchmarks.stream.flood import _verdict


@pytest.mark.parametrize(
    ("moved_ms", "elsewhere_ms", "verdict"),
    [
        (0.5, 0.2, "held"),
        (0.4, 2.4, "held"),
        (0.6, 0.2, "missed"),
        (9.0, 0.5, "missed"),
        (0.6, 0.6, "machine too busy to tell"),
    ],
)
def test_only_a_quiet_machine_says_missed(
    moved_ms: float, elsewhere_ms: float, verdict: str
) -> None:
    assert _verdict(moved_ms, elsewhere_ms) == verdict
