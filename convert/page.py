"""One self-contained HTML page a conversion: the verdict, then tables, plots and pictures."""

from __future__ import annotations

import base64
import html
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from benchmarks.results import number, points
from convert.evaluation import Picture
from roadmask.labels import CATEGORY_COLORS_RGB
from roadmask.pictures import colored

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem;
  color: #1c1c1e; background: #fff; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.1rem; margin-top: 2.2rem; }
.verdict { padding: .8rem 1rem; border-radius: .4rem; font-weight: 600; }
.accepted { background: #e3f4e5; color: #14532d; }
.rejected { background: #fde8e8; color: #7f1d1d; }
table { border-collapse: collapse; } td, th { padding: .15rem .8rem; text-align: right; }
td:first-child, th:first-child { text-align: left; } th { border-bottom: 1px solid #999; }
figure { margin: 1rem 0; } figure img { width: 100%; image-rendering: pixelated; }
figcaption, .note { color: #555; font-size: .85rem; } svg text { font: 11px system-ui, sans-serif; }
@media (prefers-color-scheme: dark) { body { background: #17181a; color: #e8e8ea; }
  svg text { fill: #e8e8ea; } figcaption, .note { color: #aaa; } }
"""


def page(report: dict[str, Any], pictures: Sequence[Picture]) -> str:
    """The report as HTML; it loads nothing from anywhere."""
    info, certificate = report["model"], report["certificate"]
    name = html.escape(str(info["name"]))
    verdict = "accepted" if report["accepted"] else "rejected"
    reasons = "; ".join(report["missed"]) or _headline(report)
    sections = [
        f"<h1>{name}: INT8 conversion</h1>",
        f'<p class="verdict {verdict}">{verdict.capitalize()}: {html.escape(reasons)}.</p>',
        "<h2>Accuracy</h2>",
        _accuracy(report),
        "<h2>Latency</h2>",
        _latency(report),
        "<h2>Error of every layer</h2>",
        '<p class="note">Signal-to-quantisation-noise ratio of each output against the float '
        "model, dB; errors of the layers before are in it. Long bars are good.</p>",
        _layers(certificate["layers"]),
        "<h2>Frames that agree least</h2>",
        *(_figure(picture) for picture in pictures),
        "<h2>What it was made from</h2>",
        _facts(report),
    ]
    body = "\n".join(sections)
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{name}</title>'
        f"<style>{_STYLE}</style></head><body>\n{body}\n</body></html>\n"
    )


def _headline(report: dict[str, Any]) -> str:
    drop = report["miou_drop"]
    lost = "-" if drop is None else f"{100 * drop:.2f}"
    return (
        f"{lost} points of mean IoU lost, {100 * report['pixel_agreement']:.2f} % of the pixels "
        f"agree, {len(report['float_operators'])} operators in float"
    )


def _accuracy(report: dict[str, Any]) -> str:
    before, after = report["accuracy"]["float"], report["accuracy"]["int8"]
    intervals = report["certificate"]["intervals"]
    rows = [
        (name, before["iou"][name], after["iou"][name], intervals["category_drop"][name])
        for name in before["iou"]
    ]
    rows.append(("mean", before["miou"], after["miou"], intervals["drop"]))
    cells = [
        (name, points(x), points(y), _points_lost(x, y), _span(interval))
        for name, x, y, interval in rows
    ]
    note = (
        f'<p class="note">Points of IoU over {after["images"]} frames of '
        f"{html.escape(str(after['dataset']))}/{html.escape(str(after['split']))}; the interval is "
        "a 95 % bootstrap of what INT8 lost.</p>"
    )
    return note + _table(("category", "float", "INT8", "lost", "95 % interval"), cells)


def _latency(report: dict[str, Any]) -> str:
    float_latency, int8_latency = report["latency"]["float"], report["latency"]["int8"]
    rows = [
        (title, number(float_latency[key][p], 2), number(int8_latency[key][p], 2))
        for title, key, p in (
            ("invoke p50, ms", "invoke_ms", "p50"),
            ("invoke p99, ms", "invoke_ms", "p99"),
            ("frame to mask p50, ms", "frame_to_mask_ms", "p50"),
            ("frame to mask p99, ms", "frame_to_mask_ms", "p99"),
        )
    ]
    rows += [
        (title, number(float_latency[key], digits), number(int8_latency[key], digits))
        for title, key, digits in (
            ("overhead ratio", "overhead_ratio", 3),
            ("frames per second", "fps", 1),
            ("start-up, ms", "startup_ms", 0),
            ("memory, MiB", "rss_mib", 0),
        )
    ]
    sizes = [r["model_bytes"] / 1024 for r in (float_latency, int8_latency)]
    rows.append(("file, KiB", f"{sizes[0]:.0f}", f"{sizes[1]:.0f}"))
    device = html.escape(str(int8_latency["device"]))
    note = f'<p class="note">{device}, {int8_latency["threads"]} thread(s).</p>'
    return note + _table(("", "float", "INT8"), rows)


def _layers(layers: Sequence[dict[str, Any]]) -> str:
    height, wide = 16, 500
    top = max((layer["sqnr_db"] for layer in layers), default=1.0) or 1.0
    bars = []
    for i, layer in enumerate(layers):
        db, y = layer["sqnr_db"], i * height
        color = "#2f855a" if db >= 20 else "#b7791f" if db >= 10 else "#c53030"
        label = html.escape(f"{layer['name']} ({layer['operator']})")
        bars.append(
            f'<text x="330" y="{y + 12}" text-anchor="end">{label}</text>'
            f'<rect x="336" y="{y + 3}" width="{max(1.0, wide * db / top):.0f}" height="10" '
            f'fill="{color}"/><text x="{340 + max(1.0, wide * db / top):.0f}" y="{y + 12}">'
            f"{db:.1f}, {100 * layer['high']:.2f} % at the top</text>"
        )
    total = height * len(layers) + 4
    return f'<svg width="980" height="{total}" viewBox="0 0 980 {total}">{"".join(bars)}</svg>'


def _figure(picture: Picture) -> str:
    row = np.hstack([picture.image, *(colored(mask) for mask in picture.masks)])
    name = html.escape(picture.frame_id)
    return (
        f'<figure><img alt="{name}" src="{_data_uri(row)}"><figcaption>{name}: frame, truth, float,'
        f" INT8; {100 * picture.agreement:.2f} % agree</figcaption></figure>"
    )


def _facts(report: dict[str, Any]) -> str:
    certificate, calibration = report["certificate"], report["calibration"]
    rows = [(f"{name} digest", digest) for name, digest in certificate["digests"].items()]
    rows += [(name, version) for name, version in certificate["packages"].items()]
    rows += [(f"operator {name}", str(n)) for name, n in certificate["operators"].items()]
    rows += [(f"type {name}", str(n)) for name, n in certificate["dtypes"].items()]
    rows.append(("calibration", f"{calibration['name']}, {calibration['frames']} frames"))
    return _table(("", ""), rows) + _legend()


def _legend() -> str:
    from roadmask.labels import CATEGORY_NAMES

    boxes = [
        f'<span style="background:rgb({r},{g},{b});padding:0 .6rem">&nbsp;</span> {name} '
        for name, (r, g, b) in zip(CATEGORY_NAMES, CATEGORY_COLORS_RGB.tolist(), strict=True)
    ]
    return f"<p>{''.join(boxes)}</p>"


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f"<th>{html.escape(cell)}</th>" for cell in header)
    body = "".join(
        f"<tr>{''.join(f'<td>{html.escape(str(cell))}</td>' for cell in row)}</tr>" for row in rows
    )
    return f"<table><tr>{head}</tr>{body}</table>"


def _points_lost(x: float | None, y: float | None) -> str:
    return "-" if x is None or y is None else f"{100 * (x - y):+.2f}"


def _span(interval: Sequence[float | None]) -> str:
    low, high = interval
    return "-" if low is None or high is None else f"{100 * low:+.2f} to {100 * high:+.2f}"


def _data_uri(image: npt.NDArray[np.uint8]) -> str:
    done, data = cv2.imencode(".png", image)
    if not done:
        raise ValueError(f"PNG encoder refused an array of shape {image.shape}")
    return "data:image/png;base64," + base64.b64encode(data.tobytes()).decode()
