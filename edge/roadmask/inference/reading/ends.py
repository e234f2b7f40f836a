"""What a graph begins and ends with: the scaling of its pixels, a softmax, a sigmoid, an ArgMax."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from roadmask.inference.pixels import Pixels, from_limits, usual_range
from roadmask.inference.reading.graph import Graph, GraphTensor, Operator
from roadmask.inference.reading.written_out import value_maker, written_out

# Numbers of schema.fbs.
_ADD, _LOGISTIC, _MUL, _SOFTMAX, _SUB, _DIV, _ARG_MAX, _QUANTIZE = 0, 14, 18, 25, 41, 42, 56, 114
_ENDS = {_SOFTMAX: "softmax", _LOGISTIC: "sigmoid", _ARG_MAX: "argmax"}
LOGITS, SOFTMAX, SIGMOID, ARGMAX = "logits", "softmax", "sigmoid", "argmax"


def ending(graph: Graph, output: int) -> tuple[str, int | None]:
    """What makes a tensor: ``softmax``, ``sigmoid``, ``argmax``, ``unknown``, else ``logits``.

    Returns:
        Its name, and of an ArgMax the number of classes, where the file tells it.
    """
    last = value_maker(graph, output)
    if last is None:
        return LOGITS, None
    name = _ENDS.get(last.code) or written_out(graph, last) or LOGITS
    return name, _classes(graph, last) if name == ARGMAX else None


def _classes(graph: Graph, argmax: Operator) -> int | None:
    given, axis = graph.tensors[argmax.inputs[0]], graph.tensors[argmax.inputs[1]].value
    if axis is None or axis.size != 1 or not -len(given.shape) <= int(axis.item()):
        return None
    index = int(axis.item())
    if index >= len(given.shape) or given.signature[index] < 1:
        return None
    return given.shape[index]


def leading_scale(graph: Graph) -> Pixels | None:
    """The pixels that a float input's first operator is made for; None where it does not tell.

    A division by 255, or by a deviation after a mean, tells which numbers come in; so does the
    range in which a quantised network takes them.
    """
    readers = graph.readers(graph.inputs[0])
    if len(readers) != 1:
        return None
    first = readers[0]
    if first.code == _QUANTIZE:
        made = graph.tensors[first.outputs[0]]
        return usual_range(*made.real_range) if made.quantised else None
    if first.code not in (_ADD, _SUB, _MUL, _DIV) or len(first.inputs) != 2:
        return None
    number = _constant(graph.tensors[first.inputs[1]])
    if number is None and first.code in (_ADD, _MUL):
        number = _constant(graph.tensors[first.inputs[0]])
    if number is None:
        return None
    if first.code in (_MUL, _DIV):
        return _of_factor(1 / number if first.code == _DIV else number)
    return _of_mean(-number if first.code == _ADD else number)


def _constant(tensor: GraphTensor) -> npt.NDArray[np.float64] | None:
    value = tensor.value
    if value is None or tensor.dtype != "float32" or value.size not in (1, 3):
        return None
    number: npt.NDArray[np.float64] = value.astype(np.float64)
    return number if np.isfinite(number).all() and (number != 0).all() else None


def _of_factor(factor: npt.NDArray[np.float64]) -> Pixels | None:
    white = 255 * factor  # of bytes: about 1, 2, or a deviation's 1 / 0.22
    if (white > 0.9).all() and (white < 5).all():
        return from_limits(0, 255)
    if np.allclose(factor, 2):  # 2 x - 1
        return from_limits(0, 1)
    return None


def _of_mean(mean: npt.NDArray[np.float64]) -> Pixels | None:
    if (mean > 90).all() and (mean < 140).all():
        return from_limits(0, 255)
    if (mean > 0.35).all() and (mean < 0.55).all():
        return from_limits(0, 1)
    return None
