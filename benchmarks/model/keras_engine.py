"""A ``.keras`` model in the engine's place, for the float reference (desktop only)."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

import numpy as np

from roadmask.errors import ConfigError, ModelError
from roadmask.inference.engine import Engine, TensorSpec
from roadmask.inference.model_file import ModelInfo
from roadmask.labels.catalogue import LABEL_SETS
from roadmask.labels.label_set import CATEGORY_COUNT, LabelSet
from roadmask.labels.lookup import label_set

_BY_CLASSES = {CATEGORY_COUNT: "cityscapes-8", 19: "cityscapes-19"}


class KerasEngine(Engine):
    """Same surface as ``Engine``: write ``input``, ``invoke``, read ``output``.

    Raises:
        ModelError: missing, damaged, or not one picture of fixed size to one map of logits.
        ConfigError: TensorFlow is not installed, or no label set is known.
    """

    def __init__(self, path: Path, labels: str | LabelSet | None = None) -> None:
        self._model = _load(path)
        given, made = self._model.input_shape, self._model.output_shape
        if not isinstance(given, tuple) or None in given[1:] or len(given) != 4 or given[3] != 3:
            raise ModelError(f"model {path} takes {given}: expected (None, H, W, 3) of fixed size")
        if not isinstance(made, tuple) or len(made) != 4:
            raise ModelError(f"model {path} gives {made}: expected logits (None, h, w, classes)")
        self.path, self.threads, self.runtime = path, 0, "keras"
        self.digest = hashlib.sha256(path.read_bytes()).hexdigest()
        name = labels or _BY_CLASSES.get(made[-1])
        if name is None:
            raise ConfigError(
                f"model {path} has {made[-1]} classes: give their label set with --labels "
                f"({', '.join(LABEL_SETS)} or a .toml file)"
            )
        self.labels = name if isinstance(name, LabelSet) else label_set(name)
        height, width = given[1:3]
        # Whatever scaling the network wants is a layer of it.
        self.info = ModelInfo(path.stem, self.labels.name, (width, height), normalisation=(1, 0))
        self.input_spec = TensorSpec((1, *given[1:]), np.dtype(np.float32), 0.0, 0)
        self.output_spec = TensorSpec((1, *made[1:]), np.dtype(np.float32), 0.0, 0)
        self.input = np.zeros(given[1:], np.float32)
        self.output = np.zeros(made[1:], np.float32)

    def invoke(self) -> None:
        """Run the network on what ``input`` holds."""
        self.output[...] = np.asarray(self._model(self.input[None], training=False))[0]


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
