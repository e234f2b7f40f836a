"""Where a training stands, in one file that is replaced whole: weights, optimiser and progress.

A ``.npz`` of every variable of model and optimiser in their order, and the progress as JSON.
Keras's own ``.keras`` would need a second file for the progress, and a kill between the two would
leave them at odds.
"""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from roadmask.errors import DataError
from roadmask.system.files import atomic_path

_PROGRESS = "progress"


def variables(model: keras.Model) -> list[Any]:
    """Every variable that decides the next step: weights, statistics, seeds, optimiser."""
    return [*model.variables, *model.optimizer.variables]


def save_checkpoint(path: Path, model: keras.Model, progress: dict[str, Any]) -> None:
    """Replace ``path``, which stays as it was if anything fails.

    Raises:
        DataError: a variable holds NaN or infinity (it is named), or the disk refuses.
    """
    epoch, step = progress["epoch"], progress["step"]
    done = f"step {step} of epoch {epoch + 1}" if step else f"epoch {epoch}"
    arrays: dict[str, npt.NDArray[Any]] = {}
    for number, variable in enumerate(variables(model)):
        array = keras.ops.convert_to_numpy(variable.value)
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise DataError(
                f"{variable.path} holds NaN or infinity after {done}: lower --learning-rate and "
                f"give another --out; {what_is_left(path)}"
            )
        arrays[f"{number:05d}"] = array
    arrays[_PROGRESS] = np.frombuffer(json.dumps(progress).encode(), np.uint8)
    try:
        with atomic_path(path) as temporary:
            np.savez(temporary, allow_pickle=False, **arrays)
    except DataError as error:
        raise DataError(
            f"checkpoint {error}; then run the same command again; {what_is_left(path)}"
        ) from error


def what_is_left(path: Path) -> str:
    """For a message about a step that failed: where the run stands on disk."""
    return f"checkpoint {path} is intact" if path.is_file() else "no checkpoint was written yet"


def read_progress(path: Path) -> dict[str, Any]:
    """The progress that the checkpoint holds.

    Raises:
        DataError: not a whole checkpoint.
    """
    with _open(path) as file:
        progress: dict[str, Any] = json.loads(_read(file, path, _PROGRESS).tobytes())
        return progress


def load_variables(path: Path, model: keras.Model) -> None:
    """Put the checkpoint's variables into a compiled model whose optimiser is built.

    Raises:
        DataError: not a whole checkpoint, or one of another network; ``model`` is unchanged then.
    """
    wanted = variables(model)
    with _open(path) as file:
        names = sorted(name for name in file.files if name != _PROGRESS)
        arrays = [_read(file, path, name) for name in names]
    if [a.shape for a in arrays] != [tuple(v.shape) for v in wanted]:
        raise DataError(
            f"checkpoint {path} is of another network: it holds {len(arrays)} variables, and the "
            f"{len(wanted)} of {model.name} differ in number or shape; give another --out"
        )
    for variable, array in zip(wanted, arrays, strict=True):
        variable.assign(array)


def remove_leftovers(path: Path) -> None:
    """Delete what kills in the middle of a write left beside the checkpoint."""
    for leftover in path.parent.glob(f".{path.stem}-*{path.suffix}"):
        leftover.unlink(missing_ok=True)


def _open(path: Path) -> Any:
    try:
        return np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise _damaged(path) from error


def _read(file: Any, path: Path, name: str) -> npt.NDArray[Any]:
    try:
        return np.asarray(file[name])
    except (KeyError, OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise _damaged(path) from error


def _damaged(path: Path) -> DataError:
    return DataError(
        f"checkpoint {path} is damaged or no checkpoint: delete it to begin anew, or give "
        "another --out"
    )
