"""A ``.keras`` file as an engine, for the float reference (desktop only)."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from roadmask.errors import ConfigError
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
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        from train.keras_file import check_keras, load_keras

        check_keras(path)
        from train.loop.keras_engine import KerasEngine

        model = load_keras(path)
    except ImportError as error:
        raise ConfigError(
            f"model {path} needs Keras, which is not installed: run `make setup`"
        ) from error
    classes = model.output_shape[-1]
    name = labels or _BY_CLASSES.get(classes)
    if name is None:
        raise ConfigError(
            f"model {path} has {classes} classes: give their label set with --labels "
            f"({', '.join(LABEL_SETS)} or a .toml file)"
        )
    known = name if isinstance(name, LabelSet) else label_set(name)
    return KerasEngine(model, known, path, hashlib.sha256(path.read_bytes()).hexdigest())
