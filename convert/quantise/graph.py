"""The Keras side of a conversion: load the model and take its input scaling out of the graph."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from convert.quantise.layer_names import operator_names
from roadmask.arrays import F32
from roadmask.errors import ModelError

KerasModel = Any


@dataclass(frozen=True)
class ExportGraph:
    """A Keras model as it is converted.

    Attributes:
        model: the network without its input scaling.
        normalisation: scale and offset that were taken out: it sees ``pixel * scale + offset``.
        weights_digest: SHA-256 of its weights, in order.
        operator_names: Keras layer → the layer that its operator is named after.
        mixing: ``(3, 3)`` and ``(3,)``: what then makes the network's channels of R, G and B.
    """

    model: KerasModel
    normalisation: tuple[float, float]
    weights_digest: str
    operator_names: dict[str, str] = field(default_factory=dict)
    mixing: tuple[F32, F32] | None = None

    @property
    def input_size(self) -> tuple[int, int]:
        """Width and height in px."""
        _, height, width, _ = self.model.input_shape
        return int(width), int(height)

    @property
    def channels(self) -> int:
        """Number of classes."""
        return int(self.model.output_shape[-1])

    @property
    def output_stride(self) -> int:
        """Input width / logits width."""
        return int(self.model.input_shape[2]) // int(self.model.output_shape[2])

    def network(self, image: Any) -> Any:
        """Logits of a batch of normalised pictures, ``tf.Tensor`` to ``tf.Tensor``."""
        return self.model(self.mixed(image), training=False)

    def mixed(self, image: Any) -> Any:
        """The pictures as ``model`` takes them."""
        import tensorflow as tf

        if self.mixing is None:
            return image
        kernel, bias = self.mixing
        mixed = tf.nn.conv2d(image, kernel[None, None], 1, "VALID", name="input_channels")
        return tf.nn.bias_add(mixed, bias, name="input_channels")

    @property
    def name(self) -> str:
        """Network and input size, as shipped models are named."""
        width, height = self.input_size
        return f"{self.model.name}-{width}x{height}"


def export_graph(model: KerasModel, path: Path | str = "model") -> ExportGraph:
    """Take a leading ``Rescaling`` out, so that the input's quantisation does its work.

    Left inside, it becomes a MUL and an ADD over the full picture, and two roundings.

    Raises:
        ModelError: not one RGB picture of fixed size to one map of logits.
    """
    _check_form(model, path)
    weights = model.get_weights()
    scaling = _leading_rescaling(model)
    normalisation = (1.0, 0.0)
    if scaling is not None:
        normalisation = (float(scaling.scale), float(scaling.offset))
        model = _without(model, scaling.name)
        model.set_weights(weights)
    hasher = hashlib.sha256()
    for array in weights:
        hasher.update(repr((array.shape, array.dtype.str)).encode())
        hasher.update(np.ascontiguousarray(array).tobytes())
    return ExportGraph(model, normalisation, hasher.hexdigest(), operator_names(model))


def _check_form(model: KerasModel, path: Path | str) -> None:
    inputs, outputs = model.inputs or [], model.outputs or []
    if len(inputs) != 1 or len(outputs) != 1:
        raise ModelError(
            f"model {path} has {len(inputs)} inputs and {len(outputs)} outputs: expected one each"
        )
    given, made = tuple(inputs[0].shape), tuple(outputs[0].shape)
    if len(given) != 4 or None in given[1:] or given[3] != 3:
        raise ModelError(
            f"model {path} takes {given}: expected (None, H, W, 3) of fixed size; build it with one"
        )
    if len(made) != 4 or None in made[1:]:
        raise ModelError(
            f"model {path} gives {made}: expected logits (None, h, w, classes) of fixed size"
        )


def _leading_rescaling(model: KerasModel) -> Any:
    """The Rescaling that the input goes through before anything else, or None."""
    import keras

    for layer in model.layers:
        if isinstance(layer, keras.layers.Rescaling) and np.ndim(layer.scale) == 0:
            feeds = [t is model.inputs[0] for t in _flat(layer.input)]
            others = [x for x in model.layers if x is not layer and _reads(x, model.inputs[0])]
            if feeds == [True] and not others and np.ndim(layer.offset) == 0:
                return layer
    return None


def _flat(tensors: Any) -> list[Any]:
    return list(tensors) if isinstance(tensors, (list, tuple)) else [tensors]


def _reads(layer: Any, tensor: Any) -> bool:
    import keras

    if isinstance(layer, keras.layers.InputLayer):
        return False
    return any(t is tensor for t in _flat(layer.input))


def _without(model: KerasModel, name: str) -> KerasModel:
    import keras

    def copy(layer: Any) -> Any:
        if layer.name == name:
            return keras.layers.Identity(name=name)
        return layer.__class__.from_config(layer.get_config())

    return keras.models.clone_model(model, clone_function=copy)
