"""Confusion and reliability as SVG text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from roadmask.labels.label_set import CATEGORY_NAMES, VOID
from train.reports.plots import new_figure, to_svg

NAMES = CATEGORY_NAMES[VOID + 1 :]


def truth_shares(confusion: Sequence[Sequence[int]]) -> npt.NDArray[np.float64]:
    """``(7, 7)``: what became of each category's pixels; NaN where it has none."""
    matrix = np.array(confusion, np.float64)[1:]
    total = matrix.sum(axis=1, keepdims=True)
    total[total == 0] = np.nan
    return np.asarray((matrix / total)[:, 1:])


def confusion(shares: npt.NDArray[np.float64], *, difference: bool = False) -> str:
    """Rows are the truth, columns what the network said, in per cent of the row (or points)."""
    figure = new_figure(5.6, 4.6)
    axes = figure.subplots()
    low, colours = (-0.2, "RdBu_r") if difference else (0.0, "Blues")
    high = 0.2 if difference else 1.0
    axes.imshow(shares, vmin=low, vmax=high, cmap=colours)
    for (y, x), value in np.ndenumerate(shares):
        sign = "+" if difference else ""
        # Adding 0 takes the sign from what rounds to -0.
        shown = "–" if np.isnan(value) else f"{round(100 * value, 1) + 0.0:{sign}.1f}"
        dark = abs(value) > 0.5 * high
        axes.text(x, y, shown, ha="center", va="center", size=8, color="white" if dark else "black")
    axes.set_xticks(range(len(NAMES)), NAMES, rotation=45, size=8)
    axes.set_yticks(range(len(NAMES)), NAMES, size=8)
    axes.set_ylabel("truth")
    axes.set_xlabel("said")
    return to_svg(figure)


def reliability(networks: Sequence[tuple[str, list[dict[str, Any]]]]) -> str:
    """Accuracy over confidence, a line a network; the dashed line is what it should be."""
    figure = new_figure(5.6, 4.6)
    axes = figure.subplots()
    axes.plot([0, 100], [0, 100], "--", color="#888", linewidth=1)
    for name, bins in networks:
        said = [100 * row["confidence"] for row in bins]
        axes.plot(said, [100 * row["accuracy"] for row in bins], ".-", label=name)
    axes.set_xlim(0, 100)
    axes.set_ylim(0, 100)
    axes.set_xlabel("confidence, %")
    axes.set_ylabel("pixels that are right, %")
    axes.grid(alpha=0.3)
    axes.legend(loc="upper left", fontsize=8)
    return to_svg(figure)
