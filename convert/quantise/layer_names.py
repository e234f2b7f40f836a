"""Which Keras layer an operator of the converted model came from.

The converter folds a convolution, its normalisation and its activation into one operator and names
the output after all of them. People know the convolution, so that is the operator's name here.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from roadmask.errors import ConfigError

_OUTPUT = "Identity"  # the converter's name of the network's output
# What is computed inside the operator before it.
_FUSED = ("BatchNormalization", "ReLU", "Activation", "Identity", "Dropout", "LeakyReLU")


def operator_names(model: Any) -> dict[str, str]:
    """Keras layer → the layer that its operator is named after; ``Identity`` → the output's."""
    names: dict[str, str] = {}
    for layer in model.layers:
        sources = _sources(layer)
        fused = type(layer).__name__ in _FUSED and len(sources) == 1
        names[layer.name] = names.get(sources[0], sources[0]) if fused else layer.name
    last = getattr(model.outputs[0], "_keras_history", None)
    if last is not None:
        names[_OUTPUT] = names.get(last.operation.name, last.operation.name)
    return names


def layer_name(tensor: str, names: Mapping[str, str] | None = None) -> str:
    """``net_1/re_lu_3_1/Relu6;net_1/conv2d_3_1/convolution`` → ``conv2d_3``.

    Args:
        tensor: name of an operator's output.
        names: of ``operator_names``; without it the tensor's own words have to do.
    """
    parts = [part.split("/") for part in tensor.split(";")]
    for word in (word for words in parts for word in words):
        # TensorFlow numbers the second call of a layer, which the export is: ``re_lu`` becomes
        # ``re_lu_1``, and then ``re_lu_1``, whose name is taken, ``re_lu_1_2``.
        for candidate in (re.sub(r"_\d+$", "", word), word):
            if names and candidate in names:
                return names[candidate]
    for words in parts:
        if words[-1] in ("convolution", "depthwise") or words[-1].startswith("conv"):
            return words[-2].removesuffix("_1") if len(words) > 1 else words[0]
    return (parts[0][-2] if len(parts[0]) > 1 else parts[0][0]).removesuffix("_1")


def tensors_of(
    layers: Iterable[str], tensors: Sequence[str], names: Mapping[str, str]
) -> list[str]:
    """The tensors that the named layers' operators write.

    Raises:
        ConfigError: a layer that the network does not have; the message names the nearest.
    """
    by_layer: dict[str, list[str]] = {}
    for tensor in tensors:
        by_layer.setdefault(layer_name(tensor, names), []).append(tensor)
    found: list[str] = []
    for layer in layers:
        own = by_layer.get(names.get(layer, layer))
        if own is None:
            near = difflib.get_close_matches(layer, by_layer, 3, 0.4) or list(by_layer)[:3]
            raise ConfigError(
                f"layer {layer} is not in the network: give names such as {', '.join(near)} "
                "(the report lists them)"
            )
        found += own
    return found


def _sources(layer: Any) -> list[str]:
    """Names of the layers that feed this one."""
    nodes = layer._inbound_nodes[:1]
    return [parent.operation.name for node in nodes for parent in node.parent_nodes]
