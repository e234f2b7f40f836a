"""What a run says of itself beside its weights: config, seed, versions, commit, hardware."""

from __future__ import annotations

from dataclasses import asdict
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import keras

from roadmask.data.datasets import Dataset
from train.config import FitConfig
from train.data.loader import Part
from train.models import count_macs

if TYPE_CHECKING:
    from train.loop.progress import Progress


class RunRecord:
    """What ``run.json`` says of a run, and what tells two runs apart.

    Attributes:
        identity: configuration and data; a checkpoint of another identity is not resumed.
    """

    def __init__(self, config: FitConfig, parts: list[Part], validation: Dataset | None) -> None:
        self._config, self._validation = config, validation
        self._parts = [_describe(p.dataset) | {"samples": p.samples} | _taught(p) for p in parts]
        self.identity: dict[str, Any] = {"config": asdict(config), "data": self._parts}
        self._size: dict[str, int] = {}

    def measure(self, network: keras.Model) -> None:
        """Note the size of the finished network."""
        self._size = {"parameters": network.count_params(), "macs": count_macs(network)}

    def to_json(self, progress: Progress) -> dict[str, Any]:
        """The record as it stands."""
        return {
            "config": asdict(self._config),
            "parts": self._parts,
            "validation": _describe(self._validation) if self._validation is not None else None,
            "category_shares": [round(share, 5) for share in progress.category_shares],
            "class_weights": [round(weight, 5) for weight in progress.class_weights()],
            **self._size,
            "epochs_done": progress.epoch,
            "finished": progress.finished,
            "stopped_early": progress.stopped_early,
            "best_epoch": progress.best.best_epoch or None,
            "training_seconds": round(progress.seconds, 1),
            "cpu_seconds": round(progress.cpu_seconds, 1),
            **progress.sessions[-1]["environment"],
            "sessions": [
                {"commit": s["environment"]["commit"], "started_in_epochs": s["started_in_epochs"]}
                for s in progress.sessions
            ],
        }


def _taught(part: Part) -> dict[str, Any]:
    if part.spoilt:
        return {"spoilt": True}
    if part.teacher is None:
        return {}
    teacher = part.teacher
    record = {"teacher": teacher.digest, "teacher_width": teacher.width}
    return record | {"own_bonnet": teacher.bottom}


def _describe(dataset: Dataset) -> dict[str, Any]:
    """Name, number of frames, and a digest of their ids: no path of this machine."""
    digest = sha256("\n".join(dataset.ids).encode()).hexdigest()[:16]
    return {"dataset": dataset.name, "frames": len(dataset), "ids_sha256": digest}
