"""One conversion from end to end: quantise, check, measure, describe, judge."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import numpy as np

from benchmarks.model.flicker import compare_flicker
from convert.calibration.frames import Calibration, check_calibration, read_calibration
from convert.forms.load import check_form, load
from convert.judge.certificate import CERTIFICATE_NAME, certificate_bytes, certify
from convert.judge.evaluation import Picture
from convert.judge.foreign import fit_input
from convert.judge.gates import missed_latency
from convert.judge.golden_frames import make_golden
from convert.judge.history import LOCAL, last_accuracy, read_history
from convert.judge.outcome import find_outcome
from convert.judge.trial import Bench, Trial, open_engine
from convert.plan import ConversionPlan
from convert.quantise.converter import Graph, Quantiser, to_float
from convert.quantise.graph import ExportGraph
from convert.quantise.recover import check_recover
from convert.tensorflow_import import import_tensorflow
from convert.timing import latency_change, measure
from roadmask.arrays import U8, Image
from roadmask.data.datasets import open_dataset
from roadmask.errors import ConfigError, ModelError
from roadmask.inference.engine import Engine, TensorSpec
from roadmask.inference.golden import Golden, pack, verify
from roadmask.inference.model_file import (
    GOLDEN_NAME,
    METADATA_NAME,
    ModelInfo,
    digest,
    write_metadata,
)
from roadmask.inference.pixels import Pixels, plain_table
from roadmask.inference.preprocess import Preprocess
from roadmask.labels.catalogue import LABEL_SETS
from roadmask.labels.label_set import CATEGORY_COUNT, LabelSet
from roadmask.labels.lookup import label_set
from roadmask.sources import open_source
from roadmask.system.files import json_ready
from roadmask.system.progress import part, say, track
from roadmask.system.terminal import quiet

_BY_CLASSES = {CATEGORY_COUNT: "cityscapes-8", 19: "cityscapes-19"}
_ROUNDED = ("miou", "pixel_accuracy")
_VIDEO_FRAMES = 30


@dataclass(frozen=True)
class Conversion:
    """What came out.

    Attributes:
        model: bytes of the converted ``.tflite`` with its metadata.
        report: measurements of both models, operators, digests, gates.
        missed: the gates that it missed, a sentence each.
        pictures: of the frames on which both models agree least.
        advice: what was tried against what int8 cost, and what is left to try.
    """

    model: bytes
    report: dict[str, Any]
    missed: list[str]
    pictures: list[Picture]
    advice: str = ""


def convert(plan: ConversionPlan) -> Conversion:
    """Convert and measure; nothing is written but to a temporary folder.

    Raises:
        RoadmaskError: an input that cannot be used; the message says which.
    """
    dataset = open_dataset(
        plan.eval_dataset,
        plan.eval_root,
        plan.eval_split,
        labels=plan.truth_labels or None,
        count=plan.eval_count,
    )
    check_form(plan)
    check_calibration(plan.calibration)
    with open_source(plan.video):  # it is needed last, and only by what is accepted
        pass
    if plan.labels:
        label_set(plan.labels)
    with part("loading TensorFlow and the network"):
        import_tensorflow(verbose=plan.verbose)
        graph, changes = load(plan)
        if plan.recover and isinstance(graph, ExportGraph):
            check_recover(graph.model)
    labels = _choose_labels(graph, plan)
    understood = _understood(graph, labels, plan, changes)
    say(understood)
    info = ModelInfo(
        graph.name,
        labels.name,
        graph.input_size,
        output_stride=graph.output_stride,
        training=_training_record(plan.model) | {"weights_sha256": graph.weights_digest},
    )
    history, times = (
        [read_history(folder, graph.name) for folder in (plan.history, plan.history / LOCAL)]
        if plan.history
        else ([], [])
    )
    frames = {"dataset": dataset.name, "split": plan.eval_split, "images": len(dataset)}
    # Before the converter runs: what is wrong with the frames shows in seconds.
    calibration = _calibrate(plan, info)
    calibration.check_apart(dataset)
    with tempfile.TemporaryDirectory(prefix="roadmask-") as name:
        folder = Path(name)
        graph, found = fit_input(plan, graph, info, labels, dataset, folder)
        info = replace(info, normalisation=graph.normalisation)
        quantiser = Quantiser(graph, calibration.samples, plan.allow_float, plan.verbose)
        with part("conversion to float"):
            float32 = to_float(graph, verbose=plan.verbose)
        float_path = _write(folder / "float.tflite", float32, info)
        bench = Bench(
            folder,
            open_engine(float_path, labels, verbose=plan.verbose),
            dataset,
            calibration,
            info,
            plan,
            last_accuracy(history, frames),
        )
        outcome = find_outcome(plan, quantiser, bench)
        trial, path = outcome.trial, folder / "model.tflite"
        info = replace(
            info,
            calibration={"name": calibration.name, "sha256": calibration.sha256},
            scores={"float": _scores(trial.before), plan.mode: _scores(trial.after)},
            temperature=plan.temperature,
            extra=outcome.metadata(plan.mode),
        )
        with part("certificate"), quiet(not plan.verbose):
            same = outcome.quantiser.graph is graph
            own = float32 if same else to_float(outcome.quantiser.graph)
            certificate = certify(own, trial.model, graph, calibration, trial.evaluation)
            if outcome.recovered:
                certificate["recover"] = outcome.recovered
        engine = open_engine(_write(path, trial.model, info), labels, verbose=plan.verbose)
        with part("golden frames"), quiet(not plan.verbose):
            golden = make_golden(engine)
        _write(path, trial.model, info, certificate, golden)
        checked = verify(engine, golden)
        missed, warnings = _judged(plan, trial)
        failed = [verdict.name for verdict in checked if not verdict.passed]
        missed += [f"golden frame {name} comes out otherwise here" for name in failed]
        # What is rejected anyway need neither flicker nor be timed, which takes most of a trial.
        latency, skipped = None, f"not measured: {missed[0]}" if missed else None
        if not missed:
            trial.before["flicker"], trial.after["flicker"] = compare_flicker(
                [bench.reference, engine], plan.video, _VIDEO_FRAMES
            )
        if plan.time and not missed:
            latency = {
                title: measure(each, plan, title, bench)
                for title, each in (("float", float_path), (plan.mode, path))
            }
            missed += missed_latency(plan.gates, latency[plan.mode])
        model = path.read_bytes()
    report = {
        "kind": "conversion",
        "mode": plan.mode,
        "accepted": not missed,
        "missed": missed,
        "skipped": skipped,
        "warnings": warnings,
        "input": found,
        "understood": understood,
        "model_bytes": {"float": len(float32), plan.mode: len(model)},
        "gates": vars(plan.gates),
        **outcome.to_json(),
        "miou_drop": trial.evaluation.before.mean_iou() - trial.evaluation.after.mean_iou(),
        "pixel_agreement": trial.evaluation.pixel_agreement,
        "accuracy": {"float": trial.before, plan.mode: trial.after},
        "last_accepted": bench.accepted,
        "latency": latency,
        "latency_change": latency and latency_change(times, latency[plan.mode]),
        "operators": certificate["operators"],
        "float_operators": certificate["float_operators"],
        "certificate": certificate,
        "golden": [verdict.to_json() for verdict in checked],
        "calibration": info.calibration | {"frames": len(calibration.ids)},
        "model_digest": digest(model),
        "model": json.loads(info.to_json()),
    }
    pictures = trial.evaluation.pictures
    return Conversion(model, json_ready(report), missed, pictures, outcome.advice(plan))


def _judged(plan: ConversionPlan, trial: Trial) -> tuple[list[str], list[str]]:
    """Missed gates of accuracy, and what is only said: a foreign network never saw the town."""
    if plan.eval_dataset == "town":
        return list(trial.missed), trial.floor
    return [*trial.floor, *trial.missed], []


def _choose_labels(graph: Graph, plan: ConversionPlan) -> LabelSet:
    name = plan.labels or _BY_CLASSES.get(graph.channels, "")
    if not name:
        raise ConfigError(
            f"model {plan.model} has {graph.channels} classes: give their label set with --labels "
            f"({', '.join(LABEL_SETS)} or a .toml file)"
        )
    return label_set(name)


def _understood(graph: Graph, labels: LabelSet, plan: ConversionPlan, changes: list[str]) -> str:
    """What the network is taken for, in a line."""
    width, height = graph.input_size
    whence = "as told" if plan.labels else "by their number"
    text = (
        f"{graph.name}: pictures of {width}x{height}, {graph.channels} classes of {labels.name} "
        f"({whence}) at 1/{graph.output_stride}"
    )
    return text + (f"; {', '.join(changes)}" if changes else "")


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
    path: Path,
    model: bytes,
    info: ModelInfo,
    certificate: dict[str, Any] | None = None,
    golden: Golden | None = None,
) -> Path:
    blocks = {METADATA_NAME: info.to_json().encode()}
    if certificate is not None:
        blocks[CERTIFICATE_NAME] = certificate_bytes(certificate)
    if golden is not None:
        blocks[GOLDEN_NAME] = pack(golden)
    path.write_bytes(write_metadata(model, blocks))
    return path


@dataclass(frozen=True)
class _Input:
    """What the daemon's preprocessing asks of an engine, before there is a model to load."""

    info: ModelInfo
    pixels: Pixels | None = None
    pixel_table: U8 = field(default_factory=lambda: plain_table("uint8"))

    @property
    def input_size(self) -> tuple[int, int]:
        return self.info.input_size

    @property
    def input_spec(self) -> TensorSpec:
        width, height = self.info.input_size
        return TensorSpec((1, height, width, 3), np.dtype(np.uint8), self.info.normalisation[0], 0)


def _calibrate(plan: ConversionPlan, info: ModelInfo) -> Calibration:
    width, height = info.input_size
    preprocess = Preprocess(cast(Engine, _Input(info)), info.input_size)

    def prepare(image: Image) -> U8:
        sample = np.empty((height, width, 3), np.uint8)
        preprocess.into(image, sample)
        return sample

    def progress(frames: Iterator[Any], total: int) -> Iterator[Any]:
        return track(frames, "calibration frames", total)

    return read_calibration(plan.calibration, plan.calibration_root, prepare, progress=progress)
