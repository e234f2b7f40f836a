"""Channels of one tensor brought to like ranges, which costs nothing in float (Nagel et al., 2019).

A tensor has one step for all of its channels, so those that are small beside the largest drown in
it. Where a convolution [with a batch norm] goes through a ReLU or ReLU6 straight to convolutions,
a channel may be multiplied by any factor that the next weights are divided by. The factor is that
which lets the channel fill its tensor as far as its weights fill theirs.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from roadmask.arrays import F32

KerasModel = Any
_LIMIT = 1024.0  # of a factor: what is smaller still is noise of the float network itself
_BOUNDS = {"relu": np.inf, "relu6": 6.0}


@dataclass(frozen=True)
class Joint:
    """A tensor whose channels may be scaled.

    Attributes:
        maker: the layer whose weights scale its channels: a batch norm, or else a convolution.
        activation: the layer that gives the tensor.
        takers: convolutions behind.
        bound: where the activation clips.
    """

    maker: Any
    activation: Any
    takers: tuple[Any, ...]
    bound: float


def joints(model: KerasModel) -> list[Joint]:
    """All of a network without nested ones."""
    found = []
    for layer in model.layers:
        bound, maker = _bound(layer), _maker(layer, model)
        takers = tuple(node.operation for node in _behind(layer, model))
        if bound and maker is not None and takers and all(_takes(each) for each in takers):
            found.append(Joint(maker, layer, takers, bound))
    return found


def equalise(model: KerasModel, frames: Iterable[F32]) -> int:
    """Scale what the pictures show to be uneven, in place; how many tensors could be."""
    import keras

    found = joints(model)
    if not found:
        return 0
    tensors = [keras.ops.max(each.activation.output, axis=(1, 2)) for each in found]
    probe = keras.Model(model.inputs[0], tensors)
    peaks = [np.zeros(tensor.shape[-1], np.float32) for tensor in tensors]
    for frame in frames:
        made = probe(frame[None], training=False)
        made = made if isinstance(made, (list, tuple)) else [made]
        peaks = [np.maximum(p, np.asarray(m)[0]) for p, m in zip(peaks, made, strict=True)]
    for joint, peak in zip(found, peaks, strict=True):
        _scale(joint, factors(peak, _reach(joint.takers), joint.bound))
    return len(found)


def factors(peak: F32, reach: F32, bound: float = np.inf) -> F32:
    """What each channel is multiplied by.

    Args:
        peak: largest value of each channel.
        reach: largest weight that takes it.
        bound: where the activation clips: a channel that is clipped stays as it is.
    """
    alive = (peak > 0) & (reach > 0)
    fill = np.where(alive, peak, 1) / peak.max(initial=1e-12)
    wanted = np.sqrt(np.where(alive, reach, 1) / reach.max(initial=1e-12) / fill)
    if np.isinf(bound):
        wanted /= (wanted * fill)[alive].max(initial=1e-12)  # the tensor keeps its range
    else:
        wanted = np.minimum(wanted, bound / np.where(alive, peak, 1))
    movable = alive & (peak < 0.999 * bound)
    return np.where(movable, np.clip(wanted, 1 / _LIMIT, _LIMIT), 1).astype(np.float32)


def _bound(layer: Any) -> float:
    """Where the activation clips; 0 for a layer that is none of ``_BOUNDS``."""
    kind = type(layer).__name__
    if kind == "ReLU" and not layer.negative_slope and not layer.threshold:
        return np.inf if layer.max_value is None else float(layer.max_value)
    name = getattr(getattr(layer, "activation", None), "__name__", "")
    return _BOUNDS.get(name, 0.0) if kind in ("Activation", "Conv2D", "DepthwiseConv2D") else 0.0


def _maker(layer: Any, model: KerasModel) -> Any:
    """The last layer with weights before the activation, None where it does more than scale."""
    each = layer
    while True:
        kind = type(each).__name__
        if kind == "BatchNormalization":
            own = each.scale and each.center and len(each._inbound_nodes) == 1
            return each if own else None
        if _convolves(each):
            plain = getattr(each.activation, "__name__", "") in ("linear", "relu")
            return each if plain or each is layer else None
        nodes = [node for node in each._inbound_nodes if node.parent_nodes]
        if each is not layer or len(nodes) != 1 or len(nodes[0].parent_nodes) != 1:
            return None
        each = nodes[0].parent_nodes[0].operation
        if len(_behind(each, model)) != 1:
            return None


def _behind(layer: Any, model: KerasModel) -> list[Any]:
    inside = {id(each) for each in model.layers}
    return [node for node in layer._outbound_nodes if id(node.operation) in inside]


def _convolves(layer: Any) -> bool:
    return type(layer).__name__ in ("Conv2D", "DepthwiseConv2D") and len(layer._inbound_nodes) == 1


def _takes(layer: Any) -> bool:
    return _convolves(layer) and getattr(layer, "groups", 1) == 1


def _reach(takers: tuple[Any, ...]) -> F32:
    """The largest weight that each channel meets, beside the largest of its output channel."""
    found = []
    for layer in takers:
        kernel = np.abs(layer.get_weights()[0])
        if type(layer).__name__ == "DepthwiseConv2D":
            found.append(np.ones(kernel.shape[2], np.float32))  # each has its own step
        else:
            own = kernel.max(axis=(0, 1, 2), keepdims=True)
            found.append((kernel / np.maximum(own, 1e-12)).max(axis=(0, 1, 3)))
    return np.asarray(np.max(found, axis=0), np.float32)


def _scale(joint: Joint, by: F32) -> None:
    maker = joint.maker
    if type(maker).__name__ == "BatchNormalization":
        gamma, beta, *rest = maker.get_weights()
        maker.set_weights([gamma * by, beta * by, *rest])
    else:
        kernel, *bias = maker.get_weights()
        maker.set_weights([kernel * by.reshape(_out(maker, kernel)), *(b * by for b in bias)])
    for layer in joint.takers:
        kernel, *bias = layer.get_weights()
        layer.set_weights([kernel / by[:, None], *bias])


def _out(layer: Any, kernel: F32) -> tuple[int, ...]:
    """The shape in which output channels lie along a kernel's last axes."""
    return kernel.shape[2:] if type(layer).__name__ == "DepthwiseConv2D" else (-1,)
