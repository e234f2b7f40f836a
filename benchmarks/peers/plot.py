"""The peers as points: mean IoU over milliseconds a frame."""

from __future__ import annotations

import html
import math
from typing import Any

_WIDE, _HIGH, _LEFT, _TOP, _BOTTOM = 620, 320, 60, 20, 46
_COLORS = ("#2f855a", "#3b6ea5", "#b7791f", "#c53030", "#6b46c1", "#2c7a7b", "#97266d", "#4a5568")


def peers_plot(result: dict[str, Any]) -> str:
    """An SVG; milliseconds on a logarithmic axis, only peers that gave masks with a truth."""
    rows = [row for row in result["rows"] if row["miou"] is not None]
    times = [row["ms"]["p50"] for row in rows] or [1.0]
    scores = [100 * row["miou"] for row in rows] or [0.0]
    low, high = math.log(min(times) * 0.8), math.log(max(times) * 1.25)
    bottom, top = min(scores) - 2, max(scores) + 2

    def x(ms: float) -> float:
        return float(_LEFT + (math.log(ms) - low) / (high - low) * _WIDE)

    def y(miou: float) -> float:
        return float(_TOP + (top - miou) / (top - bottom) * _HIGH)

    parts = [
        f'<rect x="{_LEFT}" y="{_TOP}" width="{_WIDE}" height="{_HIGH}" fill="none" stroke="#888"/>'
    ]
    for ms in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000):
        if low < math.log(ms) < high:
            parts.append(
                f'<line x1="{x(ms):.0f}" y1="{_TOP}" x2="{x(ms):.0f}" y2="{_TOP + _HIGH}" '
                f'stroke="#ddd"/><text x="{x(ms):.0f}" y="{_TOP + _HIGH + 16}" '
                f'text-anchor="middle">{ms}</text>'
            )
    for score in range(math.ceil(bottom), math.floor(top) + 1, max(1, round((top - bottom) / 6))):
        parts.append(
            f'<line x1="{_LEFT}" y1="{y(score):.0f}" x2="{_LEFT + _WIDE}" y2="{y(score):.0f}" '
            f'stroke="#ddd"/><text x="{_LEFT - 6}" y="{y(score) + 4:.0f}" '
            f'text-anchor="end">{score}</text>'
        )
    for i, (row, ms, score) in enumerate(zip(rows, times, scores, strict=False)):
        color = _COLORS[i % len(_COLORS)]
        parts.append(f'<circle cx="{x(ms):.1f}" cy="{y(score):.1f}" r="6" fill="{color}"/>')
        parts.append(
            f'<circle cx="{_LEFT + _WIDE + 20}" cy="{_TOP + 12 + 20 * i}" r="5" fill="{color}"/>'
            f'<text x="{_LEFT + _WIDE + 32}" y="{_TOP + 16 + 20 * i}">{html.escape(row["peer"])}, '
            f"{ms:.1f} ms</text>"
        )
    axis = f"ms a frame, p50, {result['threads']} thread(s) ({result['device']})"
    parts.append(
        f'<text x="{_LEFT + _WIDE / 2:.0f}" y="{_TOP + _HIGH + 36}" text-anchor="middle">'
        f"{html.escape(axis)}</text>"
        f'<text x="14" y="{_TOP + _HIGH / 2:.0f}" text-anchor="middle" '
        f'transform="rotate(-90 14 {_TOP + _HIGH / 2:.0f})">mean IoU, points</text>'
    )
    longest = max((len(row["peer"]) for row in rows), default=0) + len(", 100.0 ms")
    width, height = _LEFT + _WIDE + 40 + 7 * longest, _TOP + _HIGH + _BOTTOM
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="12">'
        f'<rect width="100%" height="100%" fill="#fff"/>{"".join(parts)}</svg>\n'
    )
