"""Where a network errs, or where two differ, as one HTML page that loads nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from benchmarks.paired import frame_iou
from benchmarks.report.plots import confusion, reliability, truth_shares
from benchmarks.results import points
from roadmask.arrays import Image, Mask
from roadmask.data.datasets import Dataset, Sample
from roadmask.imaging.encoding import encode_picture
from roadmask.imaging.nearest import nearest
from roadmask.imaging.writing import colored
from roadmask.labels.label_set import CATEGORY_COLORS_RGB, CATEGORY_NAMES, VOID
from train.reports.page import Page, Picture, Section

WORST = 8  # frames that are shown
_WIDTH = 320  # px of each picture
_WRONG = (40, 40, 220)  # BGR
_OBJECTS = (
    "An object is a connected region of its category in the truth; it is found where half of its "
    "pixels are. Area is of the whole picture; the lower edge stands for the distance."
)


@dataclass(frozen=True)
class Shown:
    """A frame as the page shows it.

    Attributes:
        frame_id: its name.
        iou: its mean IoU.
        sample, mask: picture, truth, and what the network said.
    """

    frame_id: str
    iou: float
    sample: Sample
    mask: Mask


def worst_frames(
    result: dict[str, Any], dataset: Dataset, segment: Callable[[Image], Mask]
) -> list[Shown]:
    """The frames of least mean IoU, the worst first, read and segmented again."""
    scored = [(frame_iou(frame), i) for i, frame in enumerate(result["frames"])]
    worst = sorted((iou, i) for iou, i in scored if iou is not None)[:WORST]
    shown = []
    for iou, index in worst:
        sample = dataset[index]
        shown.append(Shown(sample.frame_id, iou, sample, segment(sample.image)))
    return shown


def error_page(result: dict[str, Any], frames: Sequence[Shown]) -> str:
    """Of one result of ``python -m benchmarks accuracy``."""
    sections = [
        _worst(frames),
        _categories([result]),
        _roads([result]),
        Section(
            "What was taken for what",
            pictures=[Picture("", confusion(truth_shares(result["confusion"])))],
            notes=["Per cent of each category's pixels; a row without truth shows dashes."],
        ),
        *_reliability([result]),
        *_objects([result]),
    ]
    title = f"{result['model']} on {result['dataset']}/{result['split']}"
    return Page(title, sections, tiles=_tiles(result)).to_html()


def difference_page(a: dict[str, Any], b: dict[str, Any], verdict: str, reason: str) -> str:
    """Of two results over the same frames; ``verdict`` of the second."""
    shares = [truth_shares(each["confusion"]) for each in (a, b)]
    sections = [
        Section("Verdict", notes=[f"B is {verdict}: {reason}."]),
        _categories([a, b]),
        _roads([a, b]),
        _frames(a, b),
        Section(
            "What was taken for what, B less A",
            pictures=[Picture("", confusion(shares[1] - shares[0], difference=True))],
            notes=["Points of each category's pixels."],
        ),
        *_reliability([a, b]),
        *_objects([a, b]),
    ]
    title = f"A: {a['model']}, B: {b['model']}, on {a['dataset']}/{a['split']}"
    return Page(title, sections).to_html()


def _tiles(result: dict[str, Any]) -> list[tuple[str, str, str]]:
    return [
        ("mean IoU", points(result["miou"]), _interval(result["miou_interval"])),
        ("pixel accuracy", points(result["pixel_accuracy"]), f"{result['images']} frames"),
        ("boundary IoU", points(result["boundary_iou"]), "2 % of the diagonal"),
        ("calibration error", points(result["calibration_error"]), "15 bins"),
    ]


def _interval(ends: Sequence[float | None] | None) -> str:
    if not ends or ends[0] is None:
        return "-"
    return f"{points(ends[0])} to {points(ends[1])}"


def _names(results: Sequence[dict[str, Any]]) -> Sequence[str]:
    return ("",) if len(results) == 1 else ("A ", "B ")


def _difference(values: Sequence[float | None]) -> list[str]:
    if len(values) < 2:
        return []
    x, y = values
    return ["-" if x is None or y is None else f"{100 * (y - x):+.2f}"]


def _worst(frames: Sequence[Shown]) -> Section:
    colours = [
        (name, f"rgb({r},{g},{b})")
        for name, (r, g, b) in zip(CATEGORY_NAMES, CATEGORY_COLORS_RGB.tolist(), strict=True)
    ]
    return Section(
        "Worst frames",
        pictures=[_figure(frame) for frame in frames],
        notes=["Picture, truth, what the network said, and in red where it is wrong."],
        colours=colours,
    )


def _figure(frame: Shown) -> Picture:
    height, width = frame.sample.mask.shape
    size = (_WIDTH, max(1, round(_WIDTH * height / width)))
    picture = cv2.resize(frame.sample.image, size, interpolation=cv2.INTER_AREA)
    truth, said = (nearest(plane, size) for plane in (frame.sample.mask, frame.mask))
    wrong = picture // 2
    wrong[(truth != VOID) & (truth != said)] = _WRONG
    row = np.hstack([picture, colored(truth), colored(said), wrong])
    data = encode_picture(".png", row)
    return Picture(f"{frame.frame_id}: mean IoU {points(frame.iou)}", data)


def _categories(results: Sequence[dict[str, Any]]) -> Section:
    header = [""]
    for name in _names(results):
        header += [f"{name}IoU", f"{name}95 %", f"{name}boundary IoU"]
    rows = [header + (["B - A"] if len(results) > 1 else [])]
    for key, title in [*((name, name) for name in results[0]["iou"]), ("miou", "mean")]:
        row, values = [title], []
        for result in results:
            mean = key == "miou"
            values.append(result["miou"] if mean else result["iou"][key])
            edge = result["boundary_iou"] if mean else result["boundary"][key]
            row += [points(values[-1]), _interval(result["interval"][key]), points(edge)]
        rows.append(row + _difference(values))
    return Section("By category", rows, notes=["Points; 95 % by bootstrap over the frames."])


def _roads(results: Sequence[dict[str, Any]]) -> Section:
    header = ["drive or city", "frames"]
    for name in _names(results):
        header += [f"{name}mean IoU", f"{name}95 %"]
    rows = [header + (["B - A"] if len(results) > 1 else [])]
    for group, found in results[0]["by_group"].items():
        row, values = [group or "(none)", str(found["images"])], []
        for result in results:
            one = result["by_group"].get(group, {"miou": None, "interval": None})
            values.append(one["miou"])
            row += [points(one["miou"]), _interval(one["interval"])]
        rows.append(row + _difference(values))
    return Section("By road", rows)


def _frames(a: dict[str, Any], b: dict[str, Any]) -> Section:
    scored = [
        (x, y, first["id"])
        for first, second in zip(a["frames"], b["frames"], strict=True)
        if (x := frame_iou(first)) is not None and (y := frame_iou(second)) is not None
    ]
    order = sorted(scored, key=lambda each: each[1] - each[0])
    chosen = order if len(order) <= 2 * WORST else [*order[:WORST], *order[-WORST:]]
    rows = [("frame", "A", "B", "B - A")]
    rows += [(name, points(x), points(y), f"{100 * (y - x):+.2f}") for x, y, name in chosen]
    note = f"Mean IoU of single frames: the {WORST} that lost most and the {WORST} that won most."
    return Section("Frames that differ most", rows, notes=[note])


def _reliability(results: Sequence[dict[str, Any]]) -> list[Section]:
    names = [(name or "network").strip() for name in _names(results)]
    sure = [
        (f"{name}, error {points(result['confidence']['ece'])}", result["confidence"]["bins"])
        for name, result in zip(names, results, strict=True)
        if result["confidence"]
    ]
    if not sure:
        return []
    note = "Below the dashed line the network is surer than it is right."
    return [Section("Does a confidence mean what it says?", pictures=[
        Picture("", reliability(sure))], notes=[note])]  # fmt: skip


def _objects(results: Sequence[dict[str, Any]]) -> list[Section]:
    sections = []
    for name in results[0]["objects"]:
        header = ["", "objects"]
        for who in _names(results):
            header += [f"{who}found, %", f"{who}of their pixels, %"]
        rows = [header]
        for kind, lines in results[0]["objects"][name].items():
            rows.append([f"by {kind}", *[""] * (len(header) - 1)])
            for index, line in enumerate(lines):
                row = [line["bin"], str(line["objects"])]
                for result in results:
                    one = result["objects"][name][kind][index]
                    row += [points(one["found"]), points(one["pixels_found"])]
                rows.append(row)
        sections.append(Section(f"Objects: {name}", rows, notes=[_OBJECTS]))
    return sections
