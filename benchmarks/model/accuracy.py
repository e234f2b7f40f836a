"""Accuracy through the daemon's own preprocessing, engine and postprocessing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.model.confidence import ConfidenceMeter
from benchmarks.results import points, table
from roadmask.arrays import Mask
from roadmask.data.datasets import Dataset, Sample
from roadmask.errors import DataError
from roadmask.evaluation.metrics import ConfusionMatrix
from roadmask.inference.engine import Engine
from roadmask.inference.predictor import Predictor
from roadmask.system.hardware import read_device
from roadmask.system.progress import track


def measure_accuracy(
    engine: Engine,
    dataset: Dataset,
    *,
    title: str = "accuracy",
    progress: bool = True,
    observe: Callable[[Sample, Mask], None] | None = None,
    confidence: ConfidenceMeter | None = None,
) -> ConfusionMatrix:
    """Score the network over every frame of the data set; ``observe`` sees each with its mask.

    Args:
        engine: the network.
        dataset: frames and truth.
        title, progress: of the bar.
        observe: is shown each frame and its mask.
        confidence: counts along, of the same engine.

    Raises:
        DataError: a frame that cannot be read, or a split without a single labelled pixel.
    """
    predictor = confidence.predictor if confidence else Predictor(engine)
    matrix = ConfusionMatrix()
    for index in track(range(len(dataset)), title, show=progress):
        sample = dataset[index]
        with sample.named():
            made = predictor.segment(sample.image, confidence is not None)
        prediction = made.mask
        if confidence is not None and made.confidence is not None:
            confidence.update(made.confidence, prediction, sample.mask)
        matrix.update(sample.mask, prediction, sample.instances)
        if observe is not None:
            observe(sample, prediction)
    if not matrix.matrix[1:].any():
        raise DataError(
            f"no pixel of these {len(dataset)} frames of {dataset.name} has a truth that counts: "
            "give a split whose masks are labelled (Cityscapes withholds those of test)"
        )
    return matrix


def accuracy_result(
    engine: Engine,
    matrix: ConfusionMatrix,
    dataset: Dataset,
    split: str,
    flicker: dict[str, Any] | None = None,
    confidence: ConfidenceMeter | None = None,
) -> dict[str, Any]:
    """The JSON object of ``python -m benchmarks accuracy``.

    Args:
        engine: the network.
        matrix: its scores.
        dataset, split: what they were taken on.
        flicker: what ``benchmarks.model.flicker`` found on a video.
        confidence: that counted along.
    """
    sure = confidence.report() if confidence else None
    return {
        "kind": "accuracy",
        **matrix.report(),
        "flicker": flicker,
        "confidence": sure,
        "calibration_error": sure and sure["ece"],
        "dataset": dataset.name,
        "split": split,
        "model": engine.name,
        "model_digest": engine.digest,
        "model_bytes": Path(engine.path).stat().st_size,
        "labels": engine.labels.name,
        "input_size": list(engine.input_size),
        "runtime": engine.runtime,
        "device": read_device().name,
    }


def accuracy_table(result: dict[str, Any]) -> str:
    """The result for people: points of IoU, a line a category."""
    rows = [(name, points(value)) for name, value in result["iou"].items()]
    rows += [
        ("mean IoU", _with_interval(result)),
        ("mean Dice", points(result["dice"])),
        ("mean iIoU", points(result["iiou"])),
        ("pixel accuracy", points(result["pixel_accuracy"])),
    ]
    if result.get("boundary_iou") is not None:
        rows.append(("boundary IoU", points(result["boundary_iou"])))
    if result["flicker"]:
        rows += [(key, points(result["flicker"][key])) for key in ("flicker", "consistency")]
    if result["confidence"]:
        rows.append(("calibration error", points(result["confidence"]["ece"])))
    return table(rows, ("category", "points"))


def _with_interval(result: dict[str, Any]) -> str:
    interval = result.get("miou_interval")
    whole = points(result["miou"])
    return f"{whole} ({points(interval[0])} to {points(interval[1])})" if interval else whole
