"""The plots of a comparison, each as SVG text: bars by class, curves, confusion matrices."""

from __future__ import annotations

import io
import math
from typing import Any

import numpy as np
import numpy.typing as npt

from train.runs.files import Run

# Without these the file would differ from one drawing to the next.
_REPRODUCIBLE: Any = {"svg.hashsalt": "roadmask", "svg.fonttype": "none"}


def new_figure(width: float, height: float) -> Any:
    """An empty figure of that size in inches; it needs neither a display nor pyplot's state."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def to_svg(figure: Any) -> str:
    """The figure as SVG text."""
    import matplotlib as mpl

    target = io.StringIO()
    with mpl.rc_context(_REPRODUCIBLE):
        figure.savefig(target, format="svg", metadata={"Date": None})
    text = target.getvalue()
    return text[text.index("<svg") :]


def class_bars(runs: list[Run]) -> str:
    """IoU of every class, a bar a run."""
    names = runs[0].class_names
    figure = new_figure(10, 3.6)
    axes = figure.subplots()
    width = 0.8 / len(runs)
    places = np.arange(len(names) + 1)
    for number, run in enumerate(runs):
        mean = run.scores.get("class_miou", run.scores["miou"])
        iou = [*(run.class_iou.get(name) for name in names), mean]
        heights = [100 * (math.nan if v is None else v) for v in iou]
        axes.bar(places + (number - (len(runs) - 1) / 2) * width, heights, width, label=run.name)
    axes.set_xticks(places, [*names, "mean"])
    axes.set_ylabel("IoU, points")
    axes.set_ylim(0, 100)
    axes.grid(axis="y", alpha=0.3)
    figure.legend(loc="outside upper center", ncols=4, fontsize=8)
    return to_svg(figure)


def curves(runs: list[Run]) -> str:
    """Training loss, validation loss and validation mIoU by epoch, a line a run."""
    figure = new_figure(11, 3.6)
    panels = (("loss", "training loss"), ("val_loss", "validation loss"), ("val_miou", "mIoU"))
    for axes, (key, title) in zip(figure.subplots(1, 3), panels, strict=True):
        for run in runs:
            rows = [row for row in run.history if math.isfinite(row.get(key, math.nan))]
            label = run.name if key == "loss" else None
            axes.plot([r["epoch"] for r in rows], [r[key] for r in rows], ".-", label=label)
        axes.set_title(title)
        axes.set_xlabel("epoch")
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.grid(alpha=0.3)
    figure.legend(loc="outside upper center", ncols=4, fontsize=8)
    return to_svg(figure)


def row_shares(run: Run) -> npt.NDArray[np.float64]:
    """``(n, n)``: share of the truth's pixels (row) that became each class; NaN without truth."""
    count = len(run.class_names)
    matrix = np.array(run.scores["confusion"], np.float64)[1 : count + 1, : count + 1]
    total = matrix.sum(axis=1, keepdims=True)
    total[total == 0] = np.nan  # no truth tells nothing, which is not 0 %
    return np.asarray((matrix / total)[:, 1:])


def confusion_matrices(runs: list[Run]) -> str:
    """A matrix a run: rows are the truth, columns what the network said, in per cent of the row."""
    columns = min(3, len(runs))
    rows = math.ceil(len(runs) / columns)
    figure = new_figure(4.2 * columns, 3.9 * rows)
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes, run in zip(grid, runs, strict=False):
        shares = row_shares(run)
        axes.imshow(shares, vmin=0, vmax=1, cmap="Blues")
        for (y, x), value in np.ndenumerate(shares):
            color = "white" if value > 0.5 else "black"
            shown = "–" if np.isnan(value) else f"{100 * value:.0f}"
            axes.text(x, y, shown, ha="center", va="center", size=7, color=color)
        names = run.class_names
        axes.set_xticks(range(len(names)), names, rotation=60, size=7)
        axes.set_yticks(range(len(names)), names, size=7)
        axes.set_title(run.name, size=9)
    for axes in grid[len(runs) :]:
        axes.set_axis_off()
    return to_svg(figure)
