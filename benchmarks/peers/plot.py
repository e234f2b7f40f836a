"""The peers as points: mean IoU over milliseconds a frame."""

from __future__ import annotations

from typing import Any

from train.reports.plots import new_figure, to_svg


def peers_plot(result: dict[str, Any]) -> str:
    """An SVG; milliseconds on a logarithmic axis, only peers that gave masks with a truth."""
    figure = new_figure(9, 4)
    axes = figure.subplots()
    rows = [row for row in result["rows"] if row["miou"] is not None]
    for row in rows:
        p50 = row["ms"]["p50"]
        axes.plot([p50], [100 * row["miou"]], "o", label=f"{row['peer']}, {p50:.1f} ms")
    axes.set_xscale("log")
    axes.set_xlabel(f"ms a frame, p50, {result['threads']} thread(s) ({result['device']})")
    axes.set_ylabel("mean IoU, points")
    axes.grid(alpha=0.3, which="both")
    if rows:
        figure.legend(loc="outside right upper", fontsize=8)
    return to_svg(figure)
