"""The files of a run, written and read back: its record, history, scores and conversion."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from roadmask.errors import DataError
from roadmask.system.files import atomic_path, read_json

RECORD_FILES = ("run.json", "history.csv", "scores.json")
CONVERSION = "conversion.json"


@dataclass(frozen=True)
class Run:
    """One training: a run's folder, or the committed record of one.

    Attributes:
        name: the folder's.
        folder: where it lies.
        record: ``run.json``.
        history: a row an epoch; a score that was not due is missing.
        scores: ``scores.json``; empty where the run had no validation.
        conversion: what the INT8 file of this network measured; empty where there is none.
    """

    name: str
    folder: Path
    record: dict[str, Any]
    history: list[dict[str, float]]
    scores: dict[str, Any]
    conversion: dict[str, Any]

    @property
    def network(self) -> Path | None:
        """The finished network, where it lies in the folder."""
        path = self.folder / f"{self.record['config']['model']}.keras"
        return path if path.is_file() else None

    @property
    def class_names(self) -> list[str]:
        """Of the classes that are scored, in order."""
        return list(self.class_iou)

    @property
    def class_iou(self) -> dict[str, float | None]:
        """IoU of each class of the label set that was trained."""
        iou: dict[str, float | None] = self.scores.get("class_iou", self.scores.get("iou", {}))
        return iou


def read_run(folder: Path, conversion: Path | None = None) -> Run:
    """Read a run's folder, or its record.

    Args:
        folder: of the run.
        conversion: JSON that ``python -m convert`` wrote; by default the one in the folder.

    Raises:
        DataError: not the folder of a run, or a file of it that cannot be read.
    """
    if not (folder / "run.json").is_file():
        raise DataError(
            f"{folder} holds no run.json: give the --out folder of a training, or its record"
        )
    scores = folder / "scores.json"
    return Run(
        folder.resolve().name,
        folder,
        _read_json(folder / "run.json"),
        _read_history(folder / "history.csv"),
        _read_json(scores) if scores.is_file() else {},
        summarise(_read_json(conversion)) if conversion else find_conversion(folder),
    )


def write_history(path: Path, rows: list[dict[str, float]]) -> None:
    """Write the history as CSV, a row an epoch."""
    columns = list(dict.fromkeys(key for row in rows for key in row))
    with atomic_path(path) as temporary, temporary.open("w", newline="") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(rows)


def find_conversion(folder: Path) -> dict[str, Any]:
    """The newest INT8 conversion that lies in the folder, in short; empty where there is none."""
    found = []
    for path in folder.glob("*.json"):
        if path.name in RECORD_FILES:
            continue
        content = _read_json(path)
        kinds = ("conversion", "conversion-summary")
        if content.get("kind") in kinds and content.get("mode", "int8") == "int8":
            found.append((path.stat().st_mtime, path.name, content))
    return summarise(max(found)[2]) if found else {}


def summarise(report: dict[str, Any]) -> dict[str, Any]:
    """The part of a conversion's report that a comparison shows.

    Raises:
        DataError: not a conversion's report.
    """
    if report.get("kind") == "conversion-summary":
        return report
    try:
        latency = (report["latency"] or {}).get("int8") or {}  # of what was not timed, nothing
        return {
            "kind": "conversion-summary",
            "accepted": report["accepted"],
            "missed": report["missed"],
            "model_bytes": report.get("model_bytes", {}).get("int8") or latency["model_bytes"],
            "invoke_ms": latency.get("invoke_ms"),
            "threads": latency.get("threads"),
            "device": latency.get("device"),
            "miou_drop": report["miou_drop"],
            "miou_int8": report["accuracy"]["int8"]["miou"],
            "dataset": report["accuracy"]["int8"].get("dataset"),
        }
    except (KeyError, TypeError) as error:
        raise DataError(
            f"conversion {report.get('kind')!r} lacks {error}: give the .json that "
            "`python -m convert` wrote for an INT8 model"
        ) from error


def _read_json(path: Path) -> dict[str, Any]:
    return read_json(path, "file", "give what training wrote")


def _read_history(path: Path) -> list[dict[str, float]]:
    if not path.is_file():
        return []
    try:
        with path.open(newline="") as file:
            return [{k: float(v) for k, v in row.items() if v} for row in csv.DictReader(file)]
    except (OSError, ValueError) as error:
        raise DataError(f"file {path} is not a run's history: {error}") from error
