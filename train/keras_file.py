"""Read a ``.keras`` file, with an error that names it."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

from roadmask.errors import ModelError, first_line


def load_keras(path: Path) -> Any:
    """The network in a ``.keras`` file.

    Raises:
        ModelError: missing, or not a Keras model.
    """
    import keras

    import train.models  # noqa: F401 - networks with layers of our own are read by their names

    if not path.is_file():
        raise ModelError(f"model {path} is missing: give a .keras file that `train` wrote")
    if path.suffix != ".keras":
        raise ModelError(f"model {path} is not a .keras file: give the one that `train` wrote")
    if not zipfile.is_zipfile(path):  # Keras would say that it is not there
        raise ModelError(f"model {path} cannot be read as a .keras file: it is no archive")
    try:
        return keras.saving.load_model(path, compile=False)
    except Exception as error:  # h5py, JSON, TypeError: whatever the damage causes
        raise ModelError(
            f"model {path} cannot be read as a .keras file: {first_line(error)}"
        ) from error
