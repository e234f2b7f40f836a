"""Layers and functions of somebody else's, which a Keras file names and does not hold."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

from roadmask.errors import ConfigError, first_line


def read_custom_objects(path: Path) -> dict[str, Any]:
    """The classes and functions of a Python file, by their names. The file is run.

    Raises:
        ConfigError: missing, or it fails.
    """
    if not path.is_file():
        raise ConfigError(f"--custom-objects {path}: expected a Python file with the layers")
    try:
        names = runpy.run_path(str(path))
    except Exception as error:
        raise ConfigError(f"--custom-objects {path} fails: {first_line(error)}") from error
    return {name: each for name, each in names.items() if callable(each) and name[0] != "_"}
