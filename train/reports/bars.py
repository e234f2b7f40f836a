"""Bars and ranges as SVG, drawn by hand: hundreds of rows that a page holds itself."""

from __future__ import annotations

import html
from collections.abc import Sequence

GOOD, FAIR, BAD, PLAIN = "#2f855a", "#b7791f", "#c53030", "#3b6ea5"
_ROW, _LABEL, _WIDE = 16, 330, 500  # px

Bar = tuple[str, float, str, str]  # label, length, text beside it, colour


def bars(rows: Sequence[Bar], *, top: float | None = None) -> str:
    """Horizontal bars from a common zero; the longest fills the width unless ``top`` is given."""
    longest = top or max((value for _, value, _, _ in rows), default=1.0) or 1.0
    parts = []
    for i, (label, value, text, color) in enumerate(rows):
        y = i * _ROW
        length = max(1.0, _WIDE * min(1.0, max(0.0, value) / longest))
        parts.append(
            f'<text x="{_LABEL}" y="{y + 12}" text-anchor="end">{html.escape(label)}</text>'
            f'<rect x="{_LABEL + 6}" y="{y + 3}" width="{length:.0f}" height="10" fill="{color}"/>'
            f'<text x="{_LABEL + 10 + length:.0f}" y="{y + 12}">{html.escape(text)}</text>'
        )
    return _svg(parts, _ROW * len(rows) + 4)


def ranges(
    rows: Sequence[tuple[str, float, float | None, float | None]], limit: float, unit: str
) -> str:
    """A dot with its interval for each row, on an axis around zero, the limit as a line.

    Args:
        rows: label, value, low and high end of its interval.
        limit: what the value may be.
        unit: of all of them.
    """
    ends = [abs(v) for _, *values in rows for v in values if v is not None]
    reach = 1.1 * max([*ends, limit, 1e-6])
    middle = _LABEL + 6 + _WIDE / 2

    def x(value: float) -> float:
        return middle + value / reach * _WIDE / 2

    height = _ROW * len(rows)
    parts = [
        f'<line x1="{x(at):.1f}" y1="0" x2="{x(at):.1f}" y2="{height}" stroke="{color}" '
        f'stroke-dasharray="{dash}"/>'
        for at, color, dash in ((0.0, "#888", "none"), (limit, BAD, "4 3"))
    ]
    for i, (label, value, low, high) in enumerate(rows):
        y = i * _ROW + 8
        color = BAD if value > limit else GOOD
        parts.append(
            f'<text x="{_LABEL}" y="{y + 4}" text-anchor="end">{html.escape(label)}</text>'
        )
        if low is not None and high is not None:
            parts.append(
                f'<line x1="{x(low):.1f}" y1="{y}" x2="{x(high):.1f}" y2="{y}" stroke="{color}" '
                'stroke-width="2"/>'
            )
        parts.append(f'<circle cx="{x(value):.1f}" cy="{y}" r="4" fill="{color}"/>')
        parts.append(
            f'<text x="{_LABEL + 16 + _WIDE}" y="{y + 4}">{value:+.2f} {html.escape(unit)}</text>'
        )
    return _svg(parts, height + 4)


def _svg(parts: Sequence[str], height: int) -> str:
    return f'<svg width="980" height="{height}" viewBox="0 0 980 {height}">{"".join(parts)}</svg>'
