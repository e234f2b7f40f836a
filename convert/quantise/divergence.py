"""How far one network's answer is from another's, whatever stands at its end."""

from __future__ import annotations

from typing import Any

KerasModel = Any
_LAID_OUT = ("Reshape", "Identity", "Permute", "Dropout")  # hand on what they are given
_LEAST = 1 / 512  # half a step of a confidence in INT8: what is less is 0 there


def network_end(model: KerasModel) -> str:
    """``softmax``, ``sigmoid``, or empty: the network gives logits."""
    layer = model.outputs[0]._keras_history.operation
    while type(layer).__name__ in _LAID_OUT:
        layer = layer._inbound_nodes[-1].parent_nodes[0].operation
    if getattr(layer, "outputs", None) and hasattr(layer, "layers"):
        return network_end(layer)
    kind = type(layer).__name__.lower()
    name = (
        kind if kind == "softmax" else getattr(getattr(layer, "activation", None), "__name__", "")
    )
    return name if name in ("softmax", "sigmoid") else ""


def divergence(teacher: Any, pupil: Any, end: str = "") -> Any:
    """Kullback-Leibler divergence of the pupil's categories from the teacher's, mean of pixels.

    Args:
        teacher, pupil: what either gives, ``(N, h, w, classes)``.
        end: of ``network_end``: confidences are turned into logits first.
    """
    import tensorflow as tf

    known, said = (tf.nn.log_softmax(_logits(each, end)) for each in (teacher, pupil))
    return tf.reduce_mean(tf.reduce_sum(tf.exp(known) * (known - said), axis=-1))


def _logits(answer: Any, end: str) -> Any:
    import tensorflow as tf

    if not end:
        return answer
    share = tf.clip_by_value(answer, _LEAST, 1 - _LEAST)
    return tf.math.log(share) - (tf.math.log(1 - share) if end == "sigmoid" else 0.0)
