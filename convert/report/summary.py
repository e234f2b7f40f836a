"""The few lines that a conversion prints."""

from __future__ import annotations

from typing import Any

from benchmarks.results import number, points, table

_ACCURACY = ("dataset", "split", "images", "miou", "iou", "dice", "pixel_accuracy")
_LATENCY = (
    *("device", "threads", "source", "invoke_ms", "invoke_blocks_ms", "stages_ms"),
    *("frame_to_mask_ms", "overhead_ms", "fps", "rss_mib", "startup_ms"),
)


def summary(report: dict[str, Any]) -> str:
    """Float beside quantised: accuracy and latency, then the operators."""
    mode = report["mode"]
    before, after = report["accuracy"]["float"], report["accuracy"][mode]
    pairs = [(name, before["iou"][name], after["iou"][name]) for name in before["iou"]]
    pairs.append(("mean IoU", before["miou"], after["miou"]))
    if after["flicker"] is not None:
        pairs.append(("flicker", before["flicker"]["flicker"], after["flicker"]["flicker"]))
    rows: list[tuple[str, ...]] = [
        (name, points(x), points(y), "-" if x is None or y is None else f"{100 * (y - x):+.2f}")
        for name, x, y in pairs
    ]
    latency = report["latency"]
    rows += [
        _times(name, latency["float"][key]["p50"], latency[mode][key]["p50"])
        for name, key in (
            ("invoke p50, ms", "invoke_ms"),
            ("frame to mask p50, ms", "frame_to_mask_ms"),
        )
        if latency is not None
    ]
    sizes = [report["model_bytes"][kind] / 1024 for kind in ("float", mode)]
    rows.append(("file, KiB", *(f"{s:.0f}" for s in sizes), f"{sizes[0] / sizes[1]:.1f}x"))
    calibration = report["calibration"]
    kept = ", ".join(report["float_layers"]) or "none"
    operators = ", ".join(f"{n} {name}" for name, n in report["operators"].items())
    frames = f"{after['images']} frames of {after['dataset']}/{after['split']}"
    return "\n".join(
        [
            table(rows, (frames, "float", mode, "change")),
            f"operators: {operators}; {len(report['float_operators'])} in float",
            f"layers kept in float: {kept}",
            *_recovered(report["recover"]),
            *(
                ["flicker and latency: not measured of what is rejected"]
                if report["skipped"]
                else []
            ),
            *(f"warning: {text}" for text in report["warnings"]),
            f"calibration: {calibration['name']}, {calibration['frames']} frames; "
            f"{100 * report['pixel_agreement']:.2f} % of the pixels agree",
        ]
    )


def _recovered(record: dict[str, Any] | None) -> list[str]:
    if record is None:
        return []
    loss, kept = record["loss"], "kept" if record["kept"] else "not kept"
    return [
        f"recovery: {record['epochs']} epochs, loss {loss['before']:.4f} to {loss['after']:.4f}, "
        f"mean IoU in float {points(record['miou']['float']['before'])} to "
        f"{points(record['miou']['float']['after'])}; {kept}"
    ]


def _times(name: str, x: float, y: float) -> tuple[str, str, str, str]:
    return name, number(x), number(y), f"{x / y:.1f}x"


def history_entry(report: dict[str, Any]) -> dict[str, Any]:
    """What ``benchmarks/history`` keeps of an accepted conversion."""
    mode = report["mode"]
    accuracy = report["accuracy"][mode]
    latency = report["latency"] and report["latency"][mode]
    return {
        "model_digest": report["model_digest"],
        "mode": mode,
        "float_layers": report["float_layers"],
        "digests": report["certificate"]["digests"],
        "accuracy": {key: accuracy[key] for key in _ACCURACY},
        "pixel_agreement": report["pixel_agreement"],
        "latency": latency and {key: latency[key] for key in _LATENCY},
    }
