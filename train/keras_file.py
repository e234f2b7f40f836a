"""Read a ``.keras`` file, with an error that names it; write one that is small."""

from __future__ import annotations

import zipfile
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

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


def packed_keras(model: Any) -> bytes:
    """The network as a ``.keras`` file of about half the size.

    Its weights are rounded to the nearest float16 (``model`` keeps the rounded ones, so that what
    is measured is what is in the file) and the archive is compressed.

    Raises:
        ModelError: a weight beyond float16's range.
    """
    with np.errstate(over="ignore"):
        rounded = [np.asarray(w, np.float16).astype(np.float32) for w in model.get_weights()]
    if not all(np.isfinite(w).all() for w in rounded):
        raise ModelError(f"{model.name} has weights beyond float16's 65504: keep its own file")
    model.set_weights(rounded)
    packed = BytesIO()
    with TemporaryDirectory(prefix="roadmask-") as folder:
        path = Path(folder) / "model.keras"
        model.save(path)
        with zipfile.ZipFile(path) as given, zipfile.ZipFile(packed, "w") as made:
            for name in given.namelist():
                made.writestr(
                    zipfile.ZipInfo(name), given.read(name), zipfile.ZIP_DEFLATED, compresslevel=9
                )
    return packed.getvalue()
