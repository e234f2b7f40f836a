"""The proof that a converted model carries: what it is made of, and what quantisation did to it."""

from __future__ import annotations

import hashlib
import json
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from convert.calibration.frames import Calibration
from convert.judge.evaluation import Evaluation
from convert.judge.intervals import bootstrap
from convert.judge.layer_errors import layer_errors
from convert.quantise.converter import Graph
from convert.quantise.operators import (
    count_dtypes,
    count_operators,
    float_operators,
    read_operators,
)
from roadmask.evaluation.metrics import ConfusionMatrix
from roadmask.labels.label_set import CATEGORY_NAMES, VOID

CERTIFICATE_NAME = "ROADMASK_CERTIFICATE"
_PROBED_FRAMES = 8  # of the calibration set; the layers' errors settle after a few
_PACKAGES = ("tensorflow", "keras", "ai-edge-litert", "numpy", "opencv-python-headless")
# Code that decides the bytes and the scores.
_SOURCES = (
    "convert/**/*.py",
    "edge/roadmask/evaluation/*.py",
    "edge/roadmask/inference/**/*.py",
)


def certify(
    float_model: bytes,
    converted_model: bytes,
    graph: Graph,
    calibration: Calibration,
    evaluation: Evaluation,
) -> dict[str, Any]:
    """The certificate; nothing in it depends on time, path or speed of the machine."""
    operators = read_operators(converted_model)
    every = max(1, len(calibration.samples) // _PROBED_FRAMES)
    probed = calibration.samples[::every][:_PROBED_FRAMES]
    pixels = np.stack(probed)
    worst = sorted(zip(evaluation.agreement, evaluation.ids, strict=True))[:10]
    return {
        "operators": count_operators(operators),
        "dtypes": count_dtypes(operators),
        "float_operators": [f"{o.name} {o.tensor}" for o in float_operators(operators)],
        "input_saturation": {
            "low": round(float(np.mean(pixels == 0)), 4),
            "high": round(float(np.mean(pixels == 255)), 4),
        },
        "layers": [
            e.to_json()
            for e in layer_errors(
                float_model, converted_model, probed, graph.normalisation, graph.operator_names
            )
        ],
        "pixel_agreement": round(evaluation.pixel_agreement, 5),
        "worst_frames": [{"id": i, "agreement": round(a, 4)} for a, i in worst],
        "iou": {"float": _iou(evaluation.before), "int8": _iou(evaluation.after)},
        "intervals": bootstrap(np.stack(evaluation.frames)).to_json(),
        "digests": {
            "weights": graph.weights_digest,
            "calibration": calibration.sha256,
            "code": _code_digest(),
        },
        "packages": _packages(),
    }


def _iou(matrix: ConfusionMatrix) -> dict[str, float | None]:
    """Of each category, rounded: the last digits depend on the processor."""
    categories = CATEGORY_NAMES[VOID + 1 :]
    return {
        name: None if np.isnan(value) else round(float(value), 4)
        for name, value in zip(categories, matrix.category_iou(), strict=True)
    }


def certificate_bytes(certificate: dict[str, Any]) -> bytes:
    """Canonical JSON: the same content gives the same bytes."""
    text = json.dumps(certificate, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return text.encode()


def _code_digest() -> str:
    """SHA-256 over the Python sources of what converts and measures."""
    root = Path(__file__).parents[2]
    hasher = hashlib.sha256()
    for pattern in _SOURCES:
        for path in sorted(root.glob(pattern)):
            hasher.update(path.relative_to(root).as_posix().encode())
            hasher.update(path.read_bytes())
    return hasher.hexdigest()


def _packages() -> dict[str, str]:
    versions = {}
    for name in _PACKAGES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return versions
