"""A Keras network that computes in another precision than float32, brought to it.

Training in mixed precision keeps float32 weights and computes in 16 bits, which the converter has
no operators for. In float32 the same weights give the same network, rounded less.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from roadmask.errors import ModelError, first_line

KerasModel = Any
_OURS = "float32"


def to_float32(model: KerasModel, path: Path | str = "model") -> tuple[KerasModel, list[str]]:
    """The network with every layer in float32, and what was changed, a phrase or none.

    Args:
        model: as it was loaded; it is changed too.
        path: for messages.

    Raises:
        ModelError: it cannot be built anew in float32.
    """
    import keras

    found = set()
    for layer in model._flatten_layers():
        policy = layer.dtype_policy
        if isinstance(policy, keras.DTypePolicy) and _is_other(policy):
            found.add(policy.name)
            layer.dtype_policy = _OURS
    if not found:
        return model, []
    changes = [f"brought from {' and '.join(sorted(found))} to {_OURS}"]
    if not getattr(model, "inputs", None):  # subclassed: it is called in its new precision
        return model, changes
    weights = model.get_weights()
    given = [keras.Input(batch_shape=t.shape, dtype=_float(t.dtype)) for t in model.inputs]
    try:
        other = keras.models.clone_model(model, given[0] if len(given) == 1 else given)
        other.set_weights(weights)
        other.name = model.name
    except Exception as error:
        raise ModelError(
            f"model {path} computes in {' and '.join(sorted(found))} and cannot be built in "
            f"{_OURS}: {first_line(error)}; build it with keras.config.set_dtype_policy("
            f"'{_OURS}'), load the weights and save it"
        ) from error
    return other, changes


def _is_other(policy: Any) -> bool:
    if getattr(policy, "quantization_mode", None):  # its weights are no floats
        return False
    kinds = (policy.compute_dtype, policy.variable_dtype)
    return any(kind != _OURS and "float" in kind for kind in kinds if kind)


def _float(kind: str) -> str:
    return _OURS if "float" in kind else kind
