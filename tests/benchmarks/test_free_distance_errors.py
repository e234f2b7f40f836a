"""The table of a network's free distances: what is within, what is too far."""

from __future__ import annotations

import numpy as np

from benchmarks.model.free_distance import errors_of, errors_table


def test_each_column_counts_where_its_truth_lies() -> None:
    true = np.array([4.0, 4.0, 8.0, 8.0, 20.0, 25.0])
    # 0.3 m is the least bound: 5 % of 4 m are less, of 20 m (1 m) more; 25 m allow 1.25 m.
    off = np.array([0.3, -0.31, 0.5, 0.0, 0.9, 1.3])
    lines = [line.split() for line in errors_table(true, off).splitlines()[2:]]
    assert [line[0] for line in lines] == ["0–10", "10–20", "20–30"]
    assert [line[1] for line in lines] == ["4", "1", "1"]
    assert [line[5] for line in lines] == ["50", "100", "0"]  # %
    assert [line[7] for line in lines] == ["25", "0", "100"]


def test_a_shipped_network_is_measured_against_the_town() -> None:
    true, off = errors_of("roadlite-288x224", range(3000, 3001), range(40, 41))
    assert len(true) == len(off) > 50 and np.isfinite(off).all()
    assert (true > 0).all() and abs(np.median(off)) < 10
