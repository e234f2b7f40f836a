"""The few lines that a conversion prints."""

from __future__ import annotations

from typing import Any

from benchmarks.results import number, points, table


def summary(report: dict[str, Any]) -> str:
    """Float beside INT8: accuracy and latency, then the operators."""
    before, after = report["accuracy"]["float"], report["accuracy"]["int8"]
    pairs = [(name, before["iou"][name], after["iou"][name]) for name in before["iou"]]
    pairs.append(("mean IoU", before["miou"], after["miou"]))
    rows: list[tuple[str, ...]] = [
        (name, points(x), points(y), "-" if x is None or y is None else f"{100 * (y - x):+.2f}")
        for name, x, y in pairs
    ]
    float_latency, int8_latency = report["latency"]["float"], report["latency"]["int8"]
    rows += [
        _times(name, float_latency[key]["p50"], int8_latency[key]["p50"])
        for name, key in (
            ("invoke p50, ms", "invoke_ms"),
            ("frame to mask p50, ms", "frame_to_mask_ms"),
        )
    ]
    sizes = [r["model_bytes"] / 1024 for r in (float_latency, int8_latency)]
    rows.append(("file, KiB", *(f"{s:.0f}" for s in sizes), f"{sizes[0] / sizes[1]:.1f}x"))
    calibration = report["calibration"]
    operators = ", ".join(f"{n} {name}" for name, n in report["operators"].items())
    frames = f"{after['images']} frames of {after['dataset']}/{after['split']}"
    return "\n".join(
        [
            table(rows, (frames, "float", "INT8", "change")),
            f"operators: {operators}; {len(report['float_operators'])} in float",
            f"calibration: {calibration['name']}, {calibration['frames']} frames; "
            f"{100 * report['pixel_agreement']:.2f} % of the pixels agree",
        ]
    )


def _times(name: str, x: float, y: float) -> tuple[str, str, str, str]:
    return name, number(x), number(y), f"{x / y:.1f}x"
