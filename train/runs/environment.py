"""The machine and the versions that a run was made with."""

from __future__ import annotations

import os
import platform
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Any

import keras

from roadmask.system.hardware import processor_name


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
        "backend": keras.backend.backend(),
        "devices": _devices(),
        "packages": versions,
        "python": platform.python_version(),
        "commit": _commit(),
        "processor": processor_name(),
        "cpus": len(os.sched_getaffinity(0)),
    }


def _devices() -> list[str]:
    """Accelerators by Keras's names; empty on a CPU."""
    try:
        found = keras.distribution.list_devices()
    except (AttributeError, NotImplementedError, RuntimeError):  # a backend that cannot say
        return []
    return [name for name in found if not name.lower().startswith("cpu")]


def _commit() -> str | None:
    command = ["git", "describe", "--always", "--dirty", "--abbrev=12"]
    folder = Path(__file__).parent
    try:
        result = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return result.stdout.strip()
