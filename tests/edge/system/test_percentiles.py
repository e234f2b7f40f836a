from __future__ import annotations

import math

import numpy as np

from roadmask.system.percentiles import interval_95, percentiles


def test_percentiles_of_1_to_101() -> None:
    # Linear interpolation: p of 1..101 is p + 1.
    assert percentiles(range(1, 102)) == {"p50": 51, "p95": 96, "p99": 100}
    assert percentiles(np.arange(1, 102)) == percentiles(float(n) for n in range(1, 102))


def test_nothing_measured_is_none() -> None:
    assert percentiles([]) == {"p50": None, "p95": None, "p99": None}


def test_the_interval_leaves_out_a_fortieth_at_each_end() -> None:
    assert interval_95(range(201)) == (5.0, 195.0)
    assert interval_95([3.0]) == (3.0, 3.0)
    assert all(math.isnan(end) for end in interval_95([1.0, math.nan]))
