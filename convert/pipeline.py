"""One conversion from end to end: quantise, check, measure, describe, judge."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
from tqdm import tqdm

from benchmarks.accuracy import accuracy_result
from benchmarks.latency import DEFAULT_SOURCE, LatencyPlan, measure_latency
from benchmarks.results import json_ready
from convert.calibration import Calibration, Image, Sample, read_calibration
from convert.certificate import CERTIFICATE_NAME, certificate_bytes, certify
from convert.evaluation import Picture, evaluate
from convert.gates import Gates, missed_gates
from convert.graph import ExportGraph, export_graph, load_keras
from convert.operators import float_operators, read_operators
from convert.quantise import to_float, to_int8
from convert.quiet import import_tensorflow
from roadmask.datasets import open_dataset
from roadmask.engine import Engine, TensorSpec
from roadmask.errors import ConfigError, ModelError
from roadmask.labels import CATEGORY_COUNT, LABEL_SETS, LabelSet, label_set
from roadmask.modelfile import METADATA_NAME, ModelInfo, write_metadata
from roadmask.preprocess import Preprocess
from roadmask.quiet import quiet

_BY_CLASSES = {CATEGORY_COUNT: "cityscapes-8", 19: "cityscapes-19"}
_ROUNDED = ("miou", "pixel_accuracy")


@dataclass(frozen=True)
class ConversionPlan:
    """What to convert, and on what it is calibrated, measured and judged.

    Attributes:
        model: the ``.keras`` file.
        calibration: manifest or folder; ``calibration_root`` is the manifest's data set.
        eval_dataset, eval_root, eval_split, eval_count: the evaluation set; the count is the
            town's.
        labels: label set, where the number of classes does not tell.
        gates: what it may cost.
        latency_source: URI of the frames that are timed; latency_frames in each phase.
        threads: of the interpreter while timing.
    """

    model: Path
    calibration: Path
    calibration_root: Path | None = None
    eval_dataset: str = "town"
    eval_root: Path | None = None
    eval_split: str = "val"
    eval_count: int = 100
    labels: str = ""
    gates: Gates = field(default_factory=Gates)
    latency_source: str = DEFAULT_SOURCE
    latency_frames: int = 200
    threads: int = 1
    verbose: bool = False


@dataclass(frozen=True)
class Conversion:
    """What came out.

    Attributes:
        model: bytes of the INT8 ``.tflite`` with its metadata.
        report: measurements of both models, operators, digests, gates.
        missed: the gates that it missed, a sentence each.
        pictures: of the frames on which both models agree least.
    """

    model: bytes
    report: dict[str, Any]
    missed: list[str]
    pictures: list[Picture]


def convert(plan: ConversionPlan) -> Conversion:
    """Convert and measure; nothing is written but to a temporary folder.

    Raises:
        RoadmaskError: an input that cannot be used; the message says which.
    """
    dataset = open_dataset(
        plan.eval_dataset, plan.eval_root, plan.eval_split, count=plan.eval_count
    )
    import_tensorflow(verbose=plan.verbose)
    graph = export_graph(load_keras(plan.model), plan.model)
    labels = _choose_labels(graph, plan)
    info = ModelInfo(
        graph.name,
        labels.name,
        graph.input_size,
        normalisation=graph.normalisation,
        output_stride=graph.output_stride,
        training=_training_record(plan.model) | {"weights_sha256": graph.weights_digest},
    )
    # Before the converter runs: what is wrong with the frames shows in seconds.
    calibration = _calibrate(plan, info)
    calibration.check_apart(dataset)
    with tempfile.TemporaryDirectory(prefix="roadmask-") as name:
        folder = Path(name)
        float32 = to_float(graph, verbose=plan.verbose)
        float_path = _write(folder / "float.tflite", float32, info)
        reference = _open(float_path, labels, plan)
        int8 = to_int8(graph, calibration.samples, verbose=plan.verbose)
        operators = read_operators(int8)
        if exceptions := float_operators(operators):
            raise ModelError(
                f"model {plan.model}: {len(exceptions)} operators stay in float, such as "
                f"{exceptions[0].name} ({exceptions[0].tensor}): build it without them"
            )
        int8_path = _write(folder / "int8.tflite", int8, info)
        quantised = _open(int8_path, labels, plan)
        evaluation = evaluate(reference, quantised, dataset, calibration)
        before, after = (
            accuracy_result(engine, matrix, dataset, plan.eval_split)
            for engine, matrix in ((reference, evaluation.before), (quantised, evaluation.after))
        )
        info = replace(
            info,
            calibration={"name": calibration.name, "sha256": calibration.sha256},
            scores={"float": _scores(before), "int8": _scores(after)},
        )
        with quiet(not plan.verbose):
            certificate = certify(
                float32,
                int8,
                graph.normalisation,
                graph.weights_digest,
                calibration,
                evaluation,
            )
        _write(int8_path, int8, info, certificate)
        latency = {
            title: measure_latency(
                LatencyPlan(
                    str(path),
                    plan.latency_source,
                    plan.threads,
                    plan.labels,
                    plan.latency_frames,
                ),
                title=f"latency {title}",
            )
            for title, path in (("float", float_path), ("int8", int8_path))
        }
        model = int8_path.read_bytes()
    missed = missed_gates(plan.gates, before, after, latency["int8"])
    report = {
        "kind": "conversion",
        "accepted": not missed,
        "missed": missed,
        "gates": vars(plan.gates),
        "miou_drop": evaluation.before.mean_iou() - evaluation.after.mean_iou(),
        "pixel_agreement": evaluation.pixel_agreement,
        "accuracy": {"float": before, "int8": after},
        "latency": latency,
        "operators": certificate["operators"],
        "float_operators": certificate["float_operators"],
        "certificate": certificate,
        "calibration": info.calibration | {"frames": len(calibration.ids)},
        "model": json.loads(info.to_json()),
    }
    return Conversion(model, json_ready(report), missed, evaluation.pictures)


def _choose_labels(graph: ExportGraph, plan: ConversionPlan) -> LabelSet:
    name = plan.labels or _BY_CLASSES.get(graph.channels, "")
    if not name:
        raise ConfigError(
            f"model {plan.model} has {graph.channels} classes: give their label set with --labels "
            f"({', '.join(LABEL_SETS)} or a .toml file)"
        )
    return label_set(name)


def _training_record(model: Path) -> dict[str, Any]:
    """Recipe, data and commit of the run that wrote the model, where its record lies beside it."""
    for path in (model.with_suffix(".run.json"), model.parent / "run.json"):
        if path.is_file():
            try:
                record = json.loads(path.read_text(encoding="utf-8"))
            except ValueError as error:
                raise ModelError(f"training record {path} is not JSON: {error}") from error
            keys = ("config", "parts", "commit", "packages")
            return {key: record[key] for key in keys if key in record}
    return {}


def _scores(result: dict[str, Any]) -> dict[str, Any]:
    """What the metadata keeps; rounded, for the last digits depend on the processor."""
    iou = {name: None if v is None else round(v, 4) for name, v in result["iou"].items()}
    rounded = {key: None if result[key] is None else round(result[key], 4) for key in _ROUNDED}
    return {**rounded, "iou": iou, **{key: result[key] for key in ("images", "dataset", "split")}}


def _write(
    path: Path, model: bytes, info: ModelInfo, certificate: dict[str, Any] | None = None
) -> Path:
    blocks = {METADATA_NAME: info.to_json().encode()}
    if certificate is not None:
        blocks[CERTIFICATE_NAME] = certificate_bytes(certificate)
    path.write_bytes(write_metadata(model, blocks))
    return path


def _open(path: Path, labels: LabelSet, plan: ConversionPlan) -> Engine:
    with quiet(not plan.verbose):  # LiteRT greets from C++
        return Engine(path, plan.threads, labels)


@dataclass(frozen=True)
class _Input:
    """What the daemon's preprocessing asks of an engine, before there is a model to load."""

    info: ModelInfo

    @property
    def input_size(self) -> tuple[int, int]:
        return self.info.input_size

    @property
    def input_spec(self) -> TensorSpec:
        width, height = self.info.input_size
        return TensorSpec((1, height, width, 3), np.dtype(np.uint8), self.info.normalisation[0], 0)


def _calibrate(plan: ConversionPlan, info: ModelInfo) -> Calibration:
    width, height = info.input_size
    preprocess: dict[tuple[int, int], Preprocess] = {}

    def prepare(image: Image) -> Sample:
        size = (image.shape[1], image.shape[0])
        if size not in preprocess:
            preprocess[size] = Preprocess(cast(Engine, _Input(info)), size)
        sample = np.empty((height, width, 3), np.uint8)
        preprocess[size].into(image, sample)
        return sample

    def progress(frames: Iterator[Any], total: int) -> Iterator[Any]:
        return iter(tqdm(frames, desc="calibration frames", total=total, unit="frame"))

    return read_calibration(plan.calibration, plan.calibration_root, prepare, progress=progress)
