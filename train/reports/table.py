"""The table of a comparison, and what a reader must know before comparing its rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from train.runs.files import Run

Cell = Callable[[Run], str]


def _number(value: Any, pattern: str = "{:.3f}", factor: float = 1.0) -> str:
    return "-" if value is None else pattern.format(factor * value)


def _score(key: str) -> Cell:
    return lambda run: _number(run.scores.get(key))


def _epochs(run: Run) -> str:
    done, planned = run.record["epochs_done"], run.record["config"]["epochs"]
    if done == planned:
        return str(done)
    return f"{done} of {planned}" + (", stopped early" if run.record["stopped_early"] else "")


def _size(run: Run) -> str:
    width, height = run.record["config"]["input_size"]
    return f"{width}×{height}"


def _int8(key: str, pattern: str, factor: float = 1.0) -> Cell:
    return lambda run: _number(run.conversion.get(key), pattern, factor)


# Column title → what stands in it.
COLUMNS: dict[str, Cell] = {
    "run": lambda run: run.name,
    "network": lambda run: run.record["config"]["model"],
    "input": _size,
    "epochs": _epochs,
    "seed": lambda run: str(run.record["config"]["seed"]),
    "accuracy": _score("pixel_accuracy"),
    "Dice": _score("dice"),
    "mIoU": _score("miou"),
    "iIoU": _score("iiou"),
    "val loss": _score("loss"),
    "parameters, M": lambda run: _number(run.record["parameters"], "{:.2f}", 1e-6),
    "GMAC": lambda run: _number(run.record["macs"], "{:.2f}", 1e-9),
    "training, h": lambda run: _number(run.record["training_seconds"], "{:.2f}", 1 / 3600),
    "training, CPU-h": lambda run: _number(run.record["cpu_seconds"], "{:.2f}", 1 / 3600),
    "INT8, MiB": _int8("model_bytes", "{:.2f}", 1 / 2**20),
    "INT8 p50, ms": lambda run: _number((run.conversion.get("invoke_ms") or {}).get("p50")),
    "INT8 drop, points": _int8("miou_drop", "{:.2f}", 100),
}


# Settings that have a column of their own; a run may differ in any other.
_IN_COLUMNS = ("model", "input_size", "epochs", "seed")


def table(runs: Sequence[Run]) -> list[list[str]]:
    """The title row, then a row a run; columns in which no run has anything are left out."""
    rows = [list(COLUMNS), *([cell(run) for cell in COLUMNS.values()] for run in runs)]
    kept = [i for i in range(len(COLUMNS)) if any(row[i] != "-" for row in rows[1:])]
    return [[row[i] for i in kept] for row in rows]


def class_table(runs: Sequence[Run]) -> list[list[str]]:
    """IoU in points: a row a run, a column a class."""
    names = runs[0].class_names
    rows = [["run", *names]]
    for run in runs:
        rows.append([run.name, *(_number(run.class_iou.get(n), "{:.1f}", 100) for n in names)])
    return rows


def notes(runs: Sequence[Run]) -> list[str]:
    """What makes rows differ beside the network, a sentence each."""
    found = []
    for key, title in (("validation", "validation frames"), ("parts", "training data")):
        if len({str(run.record[key]) for run in runs}) > 1:
            found.append(f"The runs differ in their {title}: scores of one row do not bind another")
    for key in runs[0].record["config"]:
        if key in _IN_COLUMNS:
            continue
        values = {run.name: run.record["config"].get(key) for run in runs}
        if len(set(map(str, values.values()))) > 1:
            text = ", ".join(f"{name}: {value}" for name, value in values.items())
            found.append(f"The runs differ in {key.replace('_', ' ')} ({text})")
    for run in runs:
        if not run.record["finished"]:
            epochs = _epochs(run)
            found.append(f"{run.name} is not finished ({epochs} epochs)")
    without = [run.name for run in runs if not run.conversion]
    if without:
        found.append(
            f"No INT8 file of {', '.join(without)}: `python -m convert RUN/NAME.keras "
            "--calibration MANIFEST --out RUN/NAME.tflite` writes its report where this one looks"
        )
    refused = [run.name for run in runs if run.conversion.get("accepted") is False]
    if refused:
        found.append(f"The conversion's own gates rejected {', '.join(refused)}")
    return found


def hardware(runs: Sequence[Run]) -> list[str]:
    """On what each run was trained and its INT8 file timed, equal ones together."""
    lines: dict[str, list[str]] = {}
    for run in runs:
        text = (
            f"{run.record['processor']}, {run.record['cpus']} cores"
            f"{''.join(', ' + d for d in run.record['devices'])}, {run.record['backend']} backend, "
            f"Keras {run.record['packages']['keras']}"
        )
        lines.setdefault(f"trained on {text}", []).append(run.name)
        if run.conversion:
            threads = run.conversion["threads"]
            lines.setdefault(f"INT8 timed with {threads} thread(s)", []).append(run.name)
    return [f"{', '.join(names)}: {text}" for text, names in lines.items()]
