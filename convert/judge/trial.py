"""Measure one converted model beside its float original, and judge what it lost."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.model.accuracy import accuracy_result
from convert.calibration.frames import Calibration
from convert.judge.evaluation import Evaluation, evaluate
from convert.judge.gates import Miss, accuracy_misses, missed_floor
from convert.plan import ConversionPlan
from roadmask.data.datasets import Dataset
from roadmask.inference.engine import Engine
from roadmask.inference.model_file import METADATA_NAME, ModelInfo, write_metadata
from roadmask.labels.label_set import LabelSet
from roadmask.system.terminal import quiet


@dataclass(frozen=True)
class Trial:
    """A converted model and what it was measured to do.

    Attributes:
        model: bytes as the converter gave them.
        evaluation: both models over the evaluation frames.
        before, after: accuracy results of the float and of the converted model.
        misses: gates that it missed against the float model and the last accepted conversion.
        floor: gates that the float model itself missed.
    """

    model: bytes
    evaluation: Evaluation
    before: dict[str, Any]
    after: dict[str, Any]
    misses: list[Miss]
    floor: list[str]

    @property
    def missed(self) -> list[str]:
        """A sentence for each of ``misses``."""
        return [miss.sentence for miss in self.misses]


@dataclass(frozen=True)
class Bench:
    """Where candidates of one network are measured.

    Attributes:
        folder: for the files.
        reference: the float model, loaded.
        dataset: the evaluation frames.
        calibration: must not hold any of them.
        info: metadata, without which the engine does not know the labels.
        plan: what a candidate may lose.
        accepted: accuracy of the last accepted conversion, if there was one.
    """

    folder: Path
    reference: Engine
    dataset: Dataset
    calibration: Calibration
    info: ModelInfo
    plan: ConversionPlan
    accepted: dict[str, Any] | None = None

    def measure(self, model: bytes, title: str = "accuracy") -> Trial:
        """Score a candidate."""
        from convert.judge.foreign import trained_score  # which opens engines as this module does

        path = self.folder / "candidate.tflite"
        block = {METADATA_NAME: self.info.to_json().encode()}
        path.write_bytes(write_metadata(model, block))
        engine = open_engine(path, self.reference.labels, verbose=self.plan.verbose)
        evaluation = evaluate(self.reference, engine, self.dataset, self.calibration, title)
        before, after = (
            accuracy_result(e, matrix, self.dataset, self.plan.eval_split)
            for e, matrix in ((self.reference, evaluation.before), (engine, evaluation.after))
        )
        misses = accuracy_misses(
            self.plan.gates,
            before,
            after,
            evaluation.pixel_agreement,
            self.accepted,
            evaluation.absent,
        )
        floor = missed_floor(self.plan.gates, before, trained_score(self.plan.model, self.dataset))
        return Trial(model, evaluation, before, after, misses, floor)


def open_engine(path: Path, labels: LabelSet, threads: int = 1, *, verbose: bool = False) -> Engine:
    """An engine of a file that was just written, without LiteRT's greeting."""
    with quiet(not verbose):
        return Engine(path, threads, labels)
