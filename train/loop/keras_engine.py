"""A Keras network in the engine's place: scored by the same kernels as what comes of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from roadmask.errors import ModelError
from roadmask.inference.engine import Engine, TensorSpec
from roadmask.inference.model_file import ModelInfo
from roadmask.inference.pixels import from_limits
from roadmask.inference.reading.ends import LOGITS, SIGMOID, SOFTMAX
from roadmask.labels.label_set import LabelSet


class KerasEngine(Engine):
    """Same surface as ``Engine``: write ``input``, ``invoke``, read ``output``.

    Args:
        model: the network, ``(N, H, W, 3)`` of fixed size to logits ``(N, h, w, classes)``.
        labels: of its output.
        path, digest: of its file, where it has one.

    Raises:
        ModelError: not one picture of fixed size to one map of logits.
    """

    def __init__(
        self, model: Any, labels: LabelSet, path: Path = Path("network.keras"), digest: str = ""
    ) -> None:
        self._model = model
        given, made = model.input_shape, model.output_shape
        if not isinstance(given, tuple) or None in given[1:] or len(given) != 4 or given[3] != 3:
            raise ModelError(f"model {path} takes {given}: expected (None, H, W, 3) of fixed size")
        if not isinstance(made, tuple) or len(made) != 4:
            raise ModelError(f"model {path} gives {made}: expected logits (None, h, w, classes)")
        self.path, self.digest, self.labels = path, digest, labels
        self.threads, self.runtime = 0, "keras"
        height, width = given[1:3]
        # Whatever scaling the network wants is a layer of it.
        self.info = ModelInfo(path.stem, labels.name, (width, height), normalisation=(1, 0))
        self.pixels = from_limits(0, 255)
        self.pixel_table = self.pixels.values()
        self.ends_in = _ends_in(model)
        self.input_spec = TensorSpec((1, *given[1:]), np.dtype(np.float32), 0.0, 0)
        self.output_spec = TensorSpec((1, *made[1:]), np.dtype(np.float32), 0.0, 0)
        self.input = np.zeros(given[1:], np.float32)
        self.output = np.zeros(made[1:], np.float32)

    def invoke(self) -> None:
        """Run the network on what ``input`` holds."""
        self.output[...] = np.asarray(self._model(self.input[None], training=False))[0]


def _ends_in(model: Any) -> str:
    last = getattr(model, "layers", [None])[-1]
    activation = getattr(getattr(last, "activation", None), "__name__", "")
    return activation if activation in (SOFTMAX, SIGMOID) else LOGITS
