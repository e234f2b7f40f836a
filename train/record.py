"""What a run leaves beside its weights: config, seed, versions, commit, hardware, history."""

from __future__ import annotations

import csv
import json
import os
import platform
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Any

from roadmask.atomic import atomic_path, write_text


def environment() -> dict[str, Any]:
    """Package versions, commit, interpreter and processor of this run."""
    names = ("tensorflow", "jax", "keras", "numpy", "opencv-python-headless", "albumentations")
    versions = {}
    for name in names:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return {
        "packages": versions,
        "python": platform.python_version(),
        "commit": _commit(),
        "processor": _processor(),
        "cpus": len(os.sched_getaffinity(0)),
    }


def write_json(path: Path, record: dict[str, Any]) -> None:
    """Write ``record`` atomically, NaN-free and readable."""
    write_text(path, json.dumps(record, indent=2, allow_nan=False) + "\n")


def write_history(path: Path, rows: list[dict[str, float]]) -> None:
    """Write the history as CSV, a row an epoch."""
    columns = list(dict.fromkeys(key for row in rows for key in row))
    with atomic_path(path) as temporary, temporary.open("w", newline="") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(rows)


def _commit() -> str | None:
    command = ["git", "describe", "--always", "--dirty", "--abbrev=12"]
    folder = Path(__file__).parent
    try:
        result = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return result.stdout.strip()


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith(("model name", "Model")):
            return line.split(":", 1)[1].strip()
    return platform.machine()
