"""The percentiles that every report of times shows, and the interval of every comparison."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

PERCENTILES = (50, 95, 99)


def percentiles(values: Iterable[float]) -> dict[str, float | None]:
    """``{"p50": …, "p95": …, "p99": …}`` of the values, None where there is none."""
    data = np.fromiter(values, np.float64)
    if not data.size:
        return {f"p{p}": None for p in PERCENTILES}
    found = np.percentile(data, PERCENTILES)
    return {f"p{p}": round(float(v), 4) for p, v in zip(PERCENTILES, found, strict=True)}


def quartile_spread(values: npt.ArrayLike) -> float:
    """Between the quarters: how far apart the middle half of the values lies."""
    low, high = np.percentile(np.asarray(values, np.float64), (25, 75))
    return round(float(high - low), 4)


def interval_95(values: npt.ArrayLike) -> tuple[float, float]:
    """Between which the middle 95 % of the values lie, at least one; NaN if one is NaN."""
    low, high = np.percentile(np.asarray(values, np.float64), (2.5, 97.5))
    return float(low), float(high)
