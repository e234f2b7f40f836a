"""One self-contained HTML page a conversion: the verdict, then plots, tables and pictures."""

from __future__ import annotations

import base64
import html
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from benchmarks.results import number, points
from convert.judge.evaluation import Picture
from convert.report.plots import BAD, FAIR, GOOD, PLAIN, bars, ranges
from roadmask.imaging.writing import colored
from roadmask.labels.label_set import CATEGORY_COLORS_RGB, CATEGORY_NAMES

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem;
  color: #1c1c1e; background: #fff; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.1rem; margin: 2rem 0 .4rem; }
.verdict { padding: .8rem 1rem; border-radius: .4rem; font-weight: 600; }
.accepted { background: #e3f4e5; color: #14532d; }
.rejected { background: #fde8e8; color: #7f1d1d; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(9rem, 1fr)); gap: .6rem; }
.tiles div { box-sizing: border-box; border: 1px solid #bbb; border-radius: .4rem;
  padding: .4rem .7rem; }
.tiles b { display: block; font-size: 1.35rem; }
table { border-collapse: collapse; } td, th { padding: .15rem .8rem; text-align: right; }
td:first-child, th:first-child { text-align: left; } th { border-bottom: 1px solid #999; }
figure { margin: 1rem 0; } figure img { width: 100%; image-rendering: pixelated; }
figcaption, .note, .tiles span { color: #555; font-size: .85rem; }
svg { max-width: 100%; height: auto; } svg text { font: 11px system-ui, sans-serif; }
@media (prefers-color-scheme: dark) { body { background: #17181a; color: #e8e8ea; }
  svg text { fill: #e8e8ea; } figcaption, .note, .tiles span { color: #aaa; } }
"""


def page(report: dict[str, Any], pictures: Sequence[Picture]) -> str:
    """The report as HTML; it loads nothing from anywhere."""
    name = html.escape(str(report["model"]["name"]))
    verdict = "accepted" if report["accepted"] else "rejected"
    reasons = "; ".join(report["missed"]) or _headline(report)
    sections = [
        f"<h1>{name}: {report['mode']} conversion</h1>",
        f'<p class="verdict {verdict}">{verdict.capitalize()}: {html.escape(reasons)}.</p>',
        _tiles(report),
        _repair(report),
        "<h2>What each category lost</h2>",
        _lost(report),
        "<h2>Accuracy</h2>",
        _accuracy(report),
        *_timed(report),
        "<h2>Error of every layer</h2>",
        '<p class="note">Signal-to-quantisation-noise ratio of each output against the float '
        "model, dB; errors of the layers before are in it. Long bars are good. Beside it the share "
        "of values that the calibrated range cut off.</p>",
        _layers(report["certificate"]["layers"]),
        "<h2>Frames that agree least</h2>",
        _legend(),
        *(_figure(picture, report["mode"]) for picture in pictures),
        "<h2>What it was made from</h2>",
        _facts(report),
    ]
    body = "\n".join(section for section in sections if section)
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{name}</title>'
        f"<style>{_STYLE}</style></head><body>\n{body}\n</body></html>\n"
    )


def _headline(report: dict[str, Any]) -> str:
    before, after = report["accuracy"]["float"], report["accuracy"][report["mode"]]
    return (
        f"mean IoU {points(before['miou'])} in float, {points(after['miou'])} in {report['mode']}; "
        f"{100 * report['pixel_agreement']:.2f} % of the pixels agree; "
        f"{len(report['float_operators'])} operators in float"
    )


def _invoke_tile(report: dict[str, Any]) -> tuple[str, str, str]:
    if report["latency"] is None:
        return "invoke p50", "-", "not measured"
    invoke, reference = (
        report["latency"][kind]["invoke_ms"]["p50"] for kind in (report["mode"], "float")
    )
    limit = report["gates"]["max_latency_ms"]
    gate = f", gate {limit:g} ms" if limit else ""
    return "invoke p50", f"{invoke:.2f} ms", f"float {reference:.2f} ms{gate}"


def _tiles(report: dict[str, Any]) -> str:
    mode, gates = report["mode"], report["gates"]
    before, after = report["accuracy"]["float"], report["accuracy"][mode]
    lost = {n: x - y for n, x, y in _pairs(before, after) if x is not None and y is not None}
    worst = max(lost, key=lambda name: lost[name], default=None)
    size, float_size = (report["model_bytes"][kind] / 1024 for kind in (mode, "float"))
    tiles = (
        ("mean IoU", points(after["miou"]), f"float {points(before['miou'])}"),
        (
            f"lost most: {worst or '-'}",
            "-" if worst is None else f"{100 * lost[worst]:+.2f}",
            f"gate {gates['max_category_drop']:g} points",
        ),
        (
            "pixels agree",
            f"{100 * report['pixel_agreement']:.2f} %",
            f"gate {gates['min_agreement']:g} %",
        ),
        _invoke_tile(report),
        ("file", f"{size:.0f} KiB", f"float {float_size:.0f} KiB"),
        ("float operators", str(len(report["float_operators"])), report["mode"]),
    )
    cells = "".join(
        f"<div><span>{html.escape(title)}</span><b>{html.escape(value)}</b>"
        f"<span>{html.escape(note)}</span></div>"
        for title, value, note in tiles
    )
    return f'<div class="tiles">{cells}</div>'


def _repair(report: dict[str, Any]) -> str:
    if not report["float_layers"]:
        return ""
    layers = html.escape(", ".join(report["float_layers"]))
    text = f"<h2>Layers kept in float</h2><p><b>{layers}</b></p>"
    if report["repair"]:
        missed = html.escape("; ".join(report["repair"]["missed_before"]))
        text += (
            f'<p class="note">Without them: {missed}. Found in {report["repair"]["attempts"]} '
            "attempts; error of the layers alone, mean over channels:</p>"
        )
        text += bars(
            [
                (row["layer"], row["error"], f"{row['error']:.4f}", PLAIN)
                for row in report["repair"]["ranking"]
            ]
        )
    return text


def _pairs(
    before: dict[str, Any], after: dict[str, Any]
) -> list[tuple[str, float | None, float | None]]:
    return [(name, value, after["iou"][name]) for name, value in before["iou"].items()]


def _lost(report: dict[str, Any]) -> str:
    before, after = report["accuracy"]["float"], report["accuracy"][report["mode"]]
    intervals = report["certificate"]["intervals"]
    rows = []
    for name, x, y in [*_pairs(before, after), ("mean", before["miou"], after["miou"])]:
        if x is None or y is None:
            continue
        low, high = intervals["drop"] if name == "mean" else intervals["category_drop"][name]
        ends = [None if v is None else 100 * v for v in (low, high)]
        rows.append((name, 100 * (x - y), ends[0], ends[1]))
    note = (
        '<p class="note">Points of IoU that quantisation cost (left of the line: gained), with the '
        f"95 % bootstrap interval over {after['images']} frames; the dashed line is the gate.</p>"
    )
    return note + ranges(rows, report["gates"]["max_category_drop"], "points")


def _accuracy(report: dict[str, Any]) -> str:
    before, after = report["accuracy"]["float"], report["accuracy"][report["mode"]]
    last = report["last_accepted"] or {"iou": {}, "miou": None}
    rows = [(name, x, y, last["iou"].get(name)) for name, x, y in _pairs(before, after)]
    rows.append(("mean", before["miou"], after["miou"], last["miou"]))
    rows += [
        (title, before[key], after[key], last.get(key))
        for title, key in (
            ("mean iIoU", "iiou"),
            ("mean Dice", "dice"),
            ("pixel accuracy", "pixel_accuracy"),
        )
    ]
    rows += [
        (f"{key} of a drive", before["flicker"][key], after["flicker"][key], None)
        for key in ("flicker", "consistency")
    ]
    cells = [
        (name, points(x), points(y), _points_lost(x, y), points(z) if z is not None else "-")
        for name, x, y, z in rows
    ]
    note = (
        f'<p class="note">Points of IoU over {after["images"]} frames of '
        f"{html.escape(str(after['dataset']))}/{html.escape(str(after['split']))}; flicker, of "
        f"which less is better, over {html.escape(after['flicker']['source'])}.</p>"
    )
    return note + _table(("", "float", report["mode"], "lost", "last accepted"), cells)


def _timed(report: dict[str, Any]) -> list[str]:
    if report["latency"] is None:
        return ['<h2>Latency</h2><p class="note">Not measured.</p>']
    plots = _time_plots(report["latency"][report["mode"]])
    return ["<h2>Latency</h2>", _latency(report), *plots]


def _latency(report: dict[str, Any]) -> str:
    reference, latency = report["latency"]["float"], report["latency"][report["mode"]]
    rows = [
        (title, number(reference[key][p], 2), number(latency[key][p], 2))
        for title, key, p in (
            ("invoke p50, ms", "invoke_ms", "p50"),
            ("invoke p99, ms", "invoke_ms", "p99"),
            ("frame to mask p50, ms", "frame_to_mask_ms", "p50"),
            ("frame to mask p99, ms", "frame_to_mask_ms", "p99"),
        )
    ]
    rows += [
        (title, number(reference[key], digits), number(latency[key], digits))
        for title, key, digits in (
            ("overhead ratio", "overhead_ratio", 3),
            ("the same from a subscriber's stamps", "subscriber_overhead_ratio", 3),
            ("frames per second", "fps", 1),
            ("start-up, ms", "startup_ms", 0),
            ("memory, MiB", "rss_mib", 0),
        )
    ]
    sizes = [r["model_bytes"] / 1024 for r in (reference, latency)]
    rows.append(("file, KiB", f"{sizes[0]:.0f}", f"{sizes[1]:.0f}"))
    change = report["latency_change"]
    against = (
        f" Against the last accepted conversion: {change['verdict']} ({change['reason']})."
        if change
        else ""
    )
    note = f"{_device(latency)}, {latency['threads']} thread(s).{against}"
    return f'<p class="note">{html.escape(note)}</p>' + _table(("", "float", report["mode"]), rows)


def _device(latency: dict[str, Any]) -> str:
    before, after = latency["device_before"], latency["device_after"]
    parts = [str(latency["device"])]
    if before["governor"]:
        parts.append(f"governor {before['governor']}")
    for key, unit in (("clock_mhz", "MHz"), ("temperature_c", "°C")):
        if before[key] is not None and after[key] is not None:
            parts.append(f"{before[key]:.0f} → {after[key]:.0f} {unit}")
    return ", ".join(parts)


def _time_plots(latency: dict[str, Any]) -> list[str]:
    stages = [(n, v["p50"], f"{v['p50']:.3f} ms", PLAIN) for n, v in latency["stages_ms"].items()]
    parts = ['<p class="note">By stage, p50.</p>', bars(stages)]
    if types := latency["by_operator_type"]:
        rows = [
            (row["operator"], row["ms"], f"{row['ms']:.3f} ms, {row['count']} of them", PLAIN)
            for row in types
        ]
        parts += ['<p class="note">By operator, as LiteRT\'s profiler sees them.</p>', bars(rows)]
    rows = []
    for row in latency["by_threads"]:
        p50, energy = row["invoke_ms"]["p50"], row["energy_mj"]
        drawn = "" if energy is None else f", {energy:.0f} mJ"
        text = f"{p50:.2f} ms ± {row['spread_ms'] / 2:.2f}{drawn}"
        rows.append((f"{row['threads']} thread(s)", p50, text, PLAIN))
    return [
        *parts,
        '<p class="note">The bare network by threads, p50 ± half the spread.</p>',
        bars(rows),
    ]


def _layers(layers: Sequence[dict[str, Any]]) -> str:
    rows = []
    for layer in layers:
        db = layer["sqnr_db"]
        color = GOOD if db >= 20 else FAIR if db >= 10 else BAD
        text = f"{db:.1f} dB, {100 * layer['high']:.2f} %"
        rows.append((f"{layer['name']} ({layer['operator']})", db, text, color))
    return bars(rows)


def _figure(picture: Picture, mode: str) -> str:
    row = np.hstack([picture.image, *(colored(mask) for mask in picture.masks)])
    name = html.escape(picture.frame_id)
    return (
        f'<figure><img alt="{name}" src="{_data_uri(row)}"><figcaption>{name}: frame, truth, float,'
        f" {mode}; {100 * picture.agreement:.2f} % agree</figcaption></figure>"
    )


def _facts(report: dict[str, Any]) -> str:
    certificate, calibration = report["certificate"], report["calibration"]
    rows = [(f"{name} digest", digest) for name, digest in certificate["digests"].items()]
    rows += [(name, version) for name, version in certificate["packages"].items()]
    rows += [(f"operator {name}", str(n)) for name, n in certificate["operators"].items()]
    rows += [(f"type {name}", str(n)) for name, n in certificate["dtypes"].items()]
    rows += [("in float", name) for name in certificate["float_operators"]]
    rows.append(("calibration", f"{calibration['name']}, {calibration['frames']} frames"))
    rows += [
        (f"golden frame {v['name']}", "as certified" if v["passed"] else "comes out otherwise")
        for v in report["golden"]
    ]
    return _table(("", ""), rows)


def _legend() -> str:
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


def _data_uri(image: npt.NDArray[np.uint8]) -> str:
    done, data = cv2.imencode(".png", image)
    if not done:
        raise ValueError(f"PNG encoder refused an array of shape {image.shape}")
    return "data:image/png;base64," + base64.b64encode(data.tobytes()).decode()
