"""Read a ``.keras`` file, with an error that names it; write one that is small."""

from __future__ import annotations

import re
import zipfile
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from roadmask.errors import ConfigError, ModelError, first_line
from roadmask.inference.model_form import (
    HDF5,
    KERAS,
    ONNX,
    POINTER,
    SAVED_MODEL,
    TFLITE,
    model_form,
    remedy,
)


def load_keras(path: Path, custom: dict[str, Any] | None = None) -> Any:
    """The network in a ``.keras`` or ``.h5`` file.

    Args:
        path: the file.
        custom: layers and functions that it names, see ``custom_objects``.

    Raises:
        ModelError: missing, or not a Keras model.
    """
    check_keras(path)
    import keras

    import train.models  # noqa: F401 - networks with layers of our own are read by their names

    try:
        return keras.saving.load_model(path, custom_objects=custom, compile=False)
    except Exception as error:  # h5py, JSON, TypeError: whatever the damage causes
        lacking = re.search(r"(?:Could not locate \w+|Unknown \w+:?) '?(\w+)'?", str(error))
        if lacking:
            raise ModelError(
                f"model {path} has a layer or function {lacking[1]!r} of its own: give the Python "
                "file that defines it with --custom-objects FILE.py"
            ) from error
        raise ModelError(
            f"model {path} cannot be read as a .keras file: {first_line(error)}"
        ) from error


def network_file(run: Path, told: str) -> Path:
    """The network of a run's folder, or the file itself; ``told`` names the option.

    Raises:
        ConfigError: neither.
    """
    if run.is_file() and run.suffix == ".keras":
        return run
    files = sorted(run.glob("*.keras"))
    if len(files) != 1:
        raise ConfigError(f"{told} {run}: expected a .keras file or the folder of a finished run")
    return files[0]


def check_keras(path: Path) -> None:
    """Refuse what is no Keras file, without loading Keras.

    Raises:
        ModelError: missing, or of another form; says what it is and what to do.
    """
    form = model_form(path)
    if form in (KERAS, HDF5):
        if form == HDF5 or zipfile.is_zipfile(path):
            return
        raise ModelError(f"model {path} cannot be read as a .keras file: the archive is cut off")
    if form == POINTER:
        raise ModelError(f"model {path}: {remedy(path)}")
    if form == TFLITE:
        raise ModelError(
            f"model {path} is a .tflite file already: run it as it is, or give the .keras or .h5 "
            "file that it was made from"
        )
    if form in (SAVED_MODEL, ONNX):
        raise ModelError(
            f"model {path} is {form}, expected a .keras or .h5 file: save the network with "
            "model.save('NAME.keras'), or convert it first with `python -m convert`"
        )
    if not path.exists():
        raise ModelError(f"model {path} is missing: give a .keras or .h5 file of the network")
    if path.suffix == ".keras":
        raise ModelError(f"model {path} cannot be read as a .keras file: it is no archive")
    raise ModelError(
        f"model {path} is neither a .keras nor an .h5 file, nor for convert a SavedModel, .onnx or "
        ".tflite: give the one that model.save wrote"
    )


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
