"""People and vehicles by size and distance, on worked masks."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from benchmarks.model.objects import ObjectBins

HUMAN, VEHICLE = 6, 7


def test_objects_fall_into_their_bins_and_half_of_one_is_found() -> None:
    truth = np.ones((100, 100), np.uint8)
    truth[40:50, 10:12] = HUMAN  # 20 px of 10,000: 0.2 %; the lower edge at 50 %: far
    truth[60:95, 60:80] = HUMAN  # 700 px: 7 %; at 95 %: near
    truth[60:75, 10:30] = VEHICLE  # 300 px: 3 %; at 75 %
    mask = truth.copy()
    mask[40:46, 10:12] = 1  # 8 of 20 px are left: lost
    mask[60:95, 60:70] = 1  # half is left: found
    bins = ObjectBins()
    bins.observe(cast(Any, SimpleNamespace(mask=truth)), mask)
    found = bins.report()

    def line(name: str, kind: str, text: str) -> dict[str, Any]:
        return next(row for row in found[name][kind] if row["bin"].startswith(text))

    small, large = line("human", "size", "0.2 to 1 %"), line("human", "size", "over 1 %")
    assert (small["objects"], small["found"]) == (1, 0)
    assert small["pixels_found"] == pytest.approx(8 / 20)
    assert (large["objects"], large["found"], large["pixels_found"]) == (1, 1, 0.5)
    assert line("human", "distance", "far") == small | {"bin": "far (over 45 % up)"}
    assert line("human", "distance", "near")["objects"] == 1
    assert line("vehicle", "distance", "20 to 35 %")["found"] == 1
    assert line("vehicle", "size", "under")["found"] is None
