"""One self-contained HTML page a conversion: the verdict, then plots, tables and pictures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from benchmarks.results import number, points
from convert.judge.evaluation import Picture as Frame
from roadmask.imaging.encoding import encode_picture
from roadmask.imaging.writing import colored
from roadmask.labels.label_set import CATEGORY_COLORS_RGB, CATEGORY_NAMES
from train.reports.bars import BAD, FAIR, GOOD, PLAIN, bars, ranges
from train.reports.page import Page, Picture, Section

_LAYERS = (
    "Signal-to-quantisation-noise ratio of each output against the float model, dB; errors of the "
    "layers before are in it. Long bars are good. Beside it the share of values that the "
    "calibrated range cut off."
)


def page(report: dict[str, Any], frames: Sequence[Frame]) -> str:
    """The report as HTML; it loads nothing from anywhere."""
    sections = [
        *_recover(report),
        *_repair(report),
        _lost(report),
        _accuracy(report),
        _latency(report) if report["latency"] else Section("Latency", notes=["Not measured."]),
        Section(
            "Error of every layer",
            pictures=[_layers(report["certificate"]["layers"])],
            notes=[_LAYERS],
        ),
        Section(
            "Frames that agree least",
            pictures=[_figure(frame, report["mode"]) for frame in frames],
            colours=_legend(),
        ),
        Section("What it was made from", [("", ""), *_facts(report)]),
    ]
    return Page(
        f"{report['model']['name']}: {report['mode']} conversion",
        sections,
        verdict="accepted" if report["accepted"] else "rejected",
        reason="; ".join(report["missed"] or [_headline(report), *report["warnings"]]),
        tiles=_tiles(report),
    ).to_html()


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


def _tiles(report: dict[str, Any]) -> list[tuple[str, str, str]]:
    mode, gates = report["mode"], report["gates"]
    before, after = report["accuracy"]["float"], report["accuracy"][mode]
    lost = {n: x - y for n, x, y in _pairs(before, after) if x is not None and y is not None}
    worst = max(lost, key=lambda name: lost[name], default=None)
    size, float_size = (report["model_bytes"][kind] / 1024 for kind in (mode, "float"))
    return [
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
    ]


def _recover(report: dict[str, Any]) -> list[Section]:
    record = report["recover"]
    if record is None:
        return []
    rows = [
        ("loss, nats a pixel", *(f"{record['loss'][when]:.4f}" for when in ("before", "after"))),
        *(
            (title, *(points(values[when]) for when in ("before", "after")))
            for title, values in (
                ("mean IoU in INT8", record["miou"]["int8"]),
                ("pixels that agree, %", record["agreement"]),
                ("mean IoU in float", record["miou"]["float"]),
            )
        ),
    ]
    even, best, missed = record["equalised"], record["best_epoch"], record["missed_before"]
    notes = [
        f"{f'Channels of {even} tensors evened out' if even else 'No channels evened out'}; "
        f"{record['epochs']} epochs over {record['frames']} calibration frames, learning rate "
        f"{record['learning_rate']:g}, "
        f"{f'of which number {best} was best' if best else 'of which none was better'}; "
        f"the weights are {'kept' if record['kept'] else 'not kept'}. "
        "All is judged against the network as it came.",
        f"Without it: {'; '.join(missed)}.",
    ]
    return [Section("Recovered weights", [("", "before", "after"), *rows], notes=notes)]


def _repair(report: dict[str, Any]) -> list[Section]:
    if not report["float_layers"]:
        return []
    section = Section("Layers kept in float", sentences=report["float_layers"])
    if repair := report["repair"]:
        missed = "; ".join(repair["missed_before"])
        section.notes = [f"Without them: {missed}. Found in {repair['attempts']} attempts."]
        rows = [(r["layer"], r["error"], f"{r['error']:.4f}", PLAIN) for r in repair["ranking"]]
        caption = "Error of the layers alone, mean over channels."
        section.pictures = [Picture(caption, bars(rows))]
    return [section]


def _pairs(
    before: dict[str, Any], after: dict[str, Any]
) -> list[tuple[str, float | None, float | None]]:
    return [(name, value, after["iou"][name]) for name, value in before["iou"].items()]


def _lost(report: dict[str, Any]) -> Section:
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
        "Points of IoU that quantisation cost (left of the line: gained), with the 95 % bootstrap "
        f"interval over {after['images']} frames; the dashed line is the gate."
    )
    plot = ranges(rows, report["gates"]["max_category_drop"], "points")
    return Section("What each category lost", pictures=[Picture("", plot)], notes=[note])


def _accuracy(report: dict[str, Any]) -> Section:
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
        if after["flicker"] is not None
    ]
    cells = [
        (name, points(x), points(y), _points_lost(x, y), points(z) if z is not None else "-")
        for name, x, y, z in rows
    ]
    flicker = "flicker and latency were not measured, for it is rejected"
    if after["flicker"] is not None:
        flicker = f"flicker, of which less is better, over {after['flicker']['source']}"
    note = (
        f"Points of IoU over {after['images']} frames of {after['dataset']}/{after['split']}; "
        f"{flicker}."
    )
    header = ("", "float", report["mode"], "lost", "last accepted")
    return Section("Accuracy", [header, *cells], notes=[note])


def _latency(report: dict[str, Any]) -> Section:
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
    header = ("", "float", report["mode"])
    return Section("Latency", [header, *rows], pictures=_time_plots(latency), notes=[note])


def _device(latency: dict[str, Any]) -> str:
    before, after = latency["device_before"], latency["device_after"]
    parts = [str(latency["device"])]
    if before["governor"]:
        parts.append(f"governor {before['governor']}")
    for key, unit in (("clock_mhz", "MHz"), ("temperature_c", "°C")):
        if before[key] is not None and after[key] is not None:
            parts.append(f"{before[key]:.0f} → {after[key]:.0f} {unit}")
    return ", ".join(parts)


def _time_plots(latency: dict[str, Any]) -> list[Picture]:
    stages = [(n, v["p50"], f"{v['p50']:.3f} ms", PLAIN) for n, v in latency["stages_ms"].items()]
    plots = [Picture("By stage, p50.", bars(stages))]
    if types := latency["by_operator_type"]:
        rows = [
            (row["operator"], row["ms"], f"{row['ms']:.3f} ms, {row['count']} of them", PLAIN)
            for row in types
        ]
        plots.append(Picture("By operator, as LiteRT's profiler sees them.", bars(rows)))
    rows = []
    for row in latency["by_threads"]:
        p50, energy = row["invoke_ms"]["p50"], row["energy_mj"]
        drawn = "" if energy is None else f", {energy:.0f} mJ"
        text = f"{p50:.2f} ms ± {row['spread_ms'] / 2:.2f}{drawn}"
        rows.append((f"{row['threads']} thread(s)", p50, text, PLAIN))
    caption = "The bare network by threads, p50 ± half the spread."
    return [*plots, Picture(caption, bars(rows))]


def _layers(layers: Sequence[dict[str, Any]]) -> Picture:
    rows = []
    for layer in layers:
        db = layer["sqnr_db"]
        color = GOOD if db >= 20 else FAIR if db >= 10 else BAD
        text = f"{db:.1f} dB, {100 * layer['high']:.2f} %"
        rows.append((f"{layer['name']} ({layer['operator']})", db, text, color))
    return Picture("", bars(rows))


def _figure(frame: Frame, mode: str) -> Picture:
    row = np.hstack([frame.image, *(colored(mask) for mask in frame.masks)])
    data = encode_picture(".png", row)
    agree = f"{100 * frame.agreement:.2f} % agree"
    return Picture(f"{frame.frame_id}: frame, truth, float, {mode}; {agree}", data)


def _facts(report: dict[str, Any]) -> list[tuple[str, str]]:
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
    return rows


def _legend() -> list[tuple[str, str]]:
    colours = CATEGORY_COLORS_RGB.tolist()
    return [
        (name, f"rgb({r},{g},{b})") for name, (r, g, b) in zip(CATEGORY_NAMES, colours, strict=True)
    ]


def _points_lost(x: float | None, y: float | None) -> str:
    return "-" if x is None or y is None else f"{100 * (x - y):+.2f}"
