"""What a network takes for pixels and what its training run said of it, before it is believed."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from benchmarks.model.accuracy import measure_accuracy
from convert.judge.trial import open_engine
from convert.plan import ConversionPlan
from convert.quantise.converter import Graph, to_float
from convert.quantise.input_range import (
    CHANNELS,
    FoundRange,
    fed_with_pixels,
    find_range,
    named_range,
)
from roadmask.data.datasets import Dataset, Subset
from roadmask.errors import DataError
from roadmask.inference.model_file import METADATA_NAME, ModelInfo, write_metadata
from roadmask.labels.label_set import LabelSet

_FRAMES = 12  # of the evaluation split, that ranges are tried on
Fitted = tuple[Graph, dict[str, Any]]


def fit_input(
    plan: ConversionPlan,
    graph: Graph,
    info: ModelInfo,
    labels: LabelSet,
    dataset: Dataset,
    folder: Path,
) -> Fitted:
    """The network as it takes pixels, and how that is known.

    As it is told; else as a leading Rescaling says; else as it scores best on some frames.
    """
    told = plan.input_range
    if told is None and graph.normalisation != (1.0, 0.0):
        told = named_range("0..255", plan.channels or CHANNELS[0])
    if told is not None:
        return fed_with_pixels(graph, told), FoundRange(told, {}).to_json()

    some = Subset(dataset, range(0, len(dataset), -(-len(dataset) // _FRAMES)))
    networks: dict[bytes, bytes] = {}

    def score(tried: Graph) -> float:
        same = b"".join(part.tobytes() for part in tried.mixing or ())
        if same not in networks:
            networks[same] = to_float(tried, verbose=plan.verbose)
        block = replace(info, normalisation=tried.normalisation).to_json().encode()
        path = folder / "tried.tflite"
        path.write_bytes(write_metadata(networks[same], {METADATA_NAME: block}))
        engine = open_engine(path, labels, verbose=plan.verbose)
        try:
            return measure_accuracy(engine, some, progress=False).mean_iou()
        except DataError:  # no truth among them: nothing is found out
            return 0.0

    found = find_range(graph, score, plan.channels)
    print(f"roadmask: {found.sentence}", file=sys.stderr)
    return fed_with_pixels(graph, found.used), found.to_json()


def trained_score(model: Path, dataset: Dataset) -> float | None:
    """Mean IoU of the run that wrote the model, where it was measured on these frames."""
    try:
        run = json.loads((model.parent / "run.json").read_text(encoding="utf-8"))
        scores = json.loads((model.parent / "scores.json").read_text(encoding="utf-8"))
        digest = sha256("\n".join(dataset.ids).encode()).hexdigest()[:16]
        measured = run["validation"]
        same = (measured["dataset"], measured["ids_sha256"]) == (dataset.name, digest)
        return float(scores["miou"]) if same else None
    except (OSError, ValueError, KeyError, TypeError):  # no record, or one of another form
        return None
