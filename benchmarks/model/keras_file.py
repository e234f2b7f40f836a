"""A ``.keras`` file as an engine, for the float reference (desktop only)."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

from roadmask.errors import ConfigError, ModelError
from roadmask.inference.engine import Engine
from roadmask.labels.catalogue import LABEL_SETS
from roadmask.labels.label_set import CATEGORY_COUNT, LabelSet
from roadmask.labels.lookup import label_set

_BY_CLASSES = {CATEGORY_COUNT: "cityscapes-8", 19: "cityscapes-19"}


def open_keras(path: Path, labels: str | LabelSet | None = None) -> Engine:
    """The network in a ``.keras`` file.

    Raises:
        ModelError: missing, damaged, or not one picture of fixed size to one map of logits.
        ConfigError: TensorFlow is not installed, or no label set is known.
    """
    model = _load(path)
    from train.loop.keras_engine import KerasEngine

    classes = model.output_shape[-1]
    name = labels or _BY_CLASSES.get(classes)
    if name is None:
        raise ConfigError(
            f"model {path} has {classes} classes: give their label set with --labels "
            f"({', '.join(LABEL_SETS)} or a .toml file)"
        )
    known = name if isinstance(name, LabelSet) else label_set(name)
    return KerasEngine(model, known, path, hashlib.sha256(path.read_bytes()).hexdigest())


def _load(path: Path) -> Any:
    if not path.is_file():
        raise ModelError(f"model {path} is missing: give a .keras or .tflite file")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        import keras
    except ImportError as error:
        raise ConfigError(
            f"model {path} needs Keras, which is not installed: run `make setup`"
        ) from error
    try:
        return keras.saving.load_model(path, compile=False)
    except Exception as error:  # zipfile, h5py, JSON, TypeError: whatever the damage causes
        detail = (str(error).strip().splitlines() or [type(error).__name__])[0][:160]
        raise ModelError(f"model {path} cannot be read as a .keras file: {detail}") from error
