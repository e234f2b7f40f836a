"""The curves of a run as a PNG: loss, scores and learning rate by epoch."""

from __future__ import annotations

import math
from pathlib import Path

from roadmask.system.files import atomic_path


def draw_curves(history: list[dict[str, float]], path: Path, title: str) -> None:
    """Draw what ``history.csv`` holds to ``path``; an existing picture is replaced."""
    # The object interface needs neither a display nor pyplot's global state.
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 3.4), layout="constrained")
    panels = (
        ("loss", (("loss", "training"), ("val_loss", "validation"))),
        ("validation", (("val_miou", "mIoU"), ("val_pixel_accuracy", "pixel accuracy"))),
        ("learning rate", (("learning_rate", ""),)),
    )
    for axes, (name, series) in zip(figure.subplots(1, 3), panels, strict=True):
        for key, label in series:
            points = [
                (row["epoch"], row[key]) for row in history if math.isfinite(row.get(key, math.nan))
            ]
            if points:
                axes.plot(*zip(*points, strict=True), ".-", label=label or None)
        axes.set_title(name)
        axes.set_xlabel("epoch")
        axes.grid(alpha=0.3)
        if axes.get_legend_handles_labels()[0]:
            axes.legend()
    figure.suptitle(title)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=110)
