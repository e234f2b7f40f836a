"""The last accepted conversions, so that the next one is held against them.

One JSON file a network, ``benchmarks/history/NAME.json``: a list, the newest last, of what no
machine changes: digests and scores. Those of shipped models are committed, git ignores the others.
Times are this machine's own and lie in ``local/NAME.json`` beside them, which git ignores too.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from roadmask.errors import DataError
from roadmask.system.files import write_json

FOLDER = Path(__file__).parents[2] / "benchmarks" / "history"
LOCAL = "local"  # folder of the times
_KEPT = 50  # entries a network
_SAME_FRAMES = ("dataset", "split", "images")


def read_history(folder: Path, name: str) -> list[dict[str, Any]]:
    """Accepted conversions of the network, the newest last; none where there is no file.

    Raises:
        DataError: the file is damaged.
    """
    path = folder / f"{name}.json"
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return []
    except (OSError, ValueError) as error:
        raise DataError(f"history {path} cannot be read: {error}; repair or remove it") from error
    if not isinstance(entries, list) or not all(_is_entry(e) for e in entries):
        raise DataError(f"history {path} is not a list of conversions: repair or remove it")
    return entries


def _is_entry(entry: Any) -> bool:
    return isinstance(entry, dict) and any(
        isinstance(entry.get(key), dict) for key in ("accuracy", "latency")
    )


def last_accuracy(entries: list[dict[str, Any]], like: dict[str, Any]) -> dict[str, Any] | None:
    """Accuracy of the newest entry that was measured on the frames of ``like``."""
    for entry in reversed(entries):
        accuracy: dict[str, Any] = entry.get("accuracy") or {}
        if all(accuracy.get(key) == like.get(key) for key in _SAME_FRAMES):
            return accuracy
    return None


def last_latency(
    entries: list[dict[str, Any]], device: str, threads: int, source: str
) -> dict[str, Any] | None:
    """Latency of the newest entry that was timed on this device in the same way."""
    for entry in reversed(entries):
        latency: dict[str, Any] = entry.get("latency") or {}
        if (latency.get("device"), latency.get("threads"), latency.get("source")) == (
            device, threads, source,
        ):  # fmt: skip
            return latency
    return None


def add_to_history(folder: Path, name: str, entry: dict[str, Any]) -> Path:
    """Append an accepted conversion; the same model file takes its earlier entry's place."""
    times = {"model_digest": entry.get("model_digest"), "latency": entry.get("latency")}
    if times["latency"]:
        _append(folder / LOCAL, name, times)
    return _append(folder, name, {k: v for k, v in entry.items() if k != "latency"})


def _append(folder: Path, name: str, entry: dict[str, Any]) -> Path:
    entries = read_history(folder, name)
    entries = [e for e in entries if e.get("model_digest") != entry.get("model_digest")]
    entries = [*entries, entry][-_KEPT:]
    path = folder / f"{name}.json"
    write_json(path, entries)
    return path
