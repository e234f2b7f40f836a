"""The percentiles that every report of times shows."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

PERCENTILES = (50, 95, 99)


def percentiles(values: Iterable[float]) -> dict[str, float | None]:
    """``{"p50": …, "p95": …, "p99": …}`` of the values, None where there is none."""
    data = np.fromiter(values, np.float64)
    if not data.size:
        return {f"p{p}": None for p in PERCENTILES}
    found = np.percentile(data, PERCENTILES)
    return {f"p{p}": round(float(v), 4) for p, v in zip(PERCENTILES, found, strict=True)}
