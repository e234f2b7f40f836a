"""A softmax or a sigmoid that is written out as plain operators around an exponential.

What a file ends in after its last convolution is looked at as a whole: which operators stand
there, and whether the exponential's values are divided by their sum or by one more than themselves.
"""

from __future__ import annotations

import numpy as np

from roadmask.inference.reading.graph import Graph, Operator

# Numbers of schema.fbs.
_ADD, _MUL, _MEAN, _SUB, _DIV, _EXP, _MAXIMUM, _NEG = 0, 18, 40, 41, 42, 47, 55, 59
_MINIMUM, _SUM, _LOG, _POW, _REDUCE_MAX, _BROADCAST_TO = 57, 74, 73, 78, 82, 130
_LOG_SOFTMAX = 50
_DEQUANTIZE, _RESHAPE, _RESIZE_BILINEAR, _TRANSPOSE, _SQUEEZE, _CAST = 6, 22, 23, 39, 43, 53
_EXPAND_DIMS, _RESIZE_NEAREST, _QUANTIZE = 70, 97, 114
# They move or rewrite values, but do not change what the values are.
PASSING = frozenset({
    _DEQUANTIZE, _RESHAPE, _RESIZE_BILINEAR, _TRANSPOSE, _SQUEEZE, _CAST, _EXPAND_DIMS,
    _RESIZE_NEAREST, _QUANTIZE,
})  # fmt: skip
_PLAIN = PASSING | {
    _ADD, _MUL, _MEAN, _SUB, _DIV, _EXP, _MAXIMUM, _NEG, _MINIMUM, _SUM, _LOG, _POW, _REDUCE_MAX,
    _BROADCAST_TO,
}  # fmt: skip
SOFTMAX, SIGMOID, LOGITS, UNKNOWN = "softmax", "sigmoid", "logits", "unknown"


def written_out(graph: Graph, last: Operator) -> str | None:
    """What the plain operators up to ``last`` make of the network's values.

    Returns:
        ``softmax``; ``sigmoid``; ``logits`` for the logarithm of a softmax, which is as good as
        those; ``unknown`` for another use of an exponential; None where there is none.
    """
    tail = _tail(graph, last)
    if not any(operator.code == _EXP for operator in tail):
        return None
    if _is(last, _EXP):  # exp of a log-softmax
        inner = value_maker(graph, last.inputs[0])
        if inner is None:
            return UNKNOWN
        if inner.code == _LOG_SOFTMAX or _log_softmax(graph, inner):
            return SOFTMAX
        return UNKNOWN
    if _log_softmax(graph, last):
        return LOGITS
    return _quotient(graph, last)


def _quotient(graph: Graph, last: Operator) -> str:
    """``a / b``, or ``a * (1 / b)``, where b is a sum with an exponential in it."""
    if _is(last, _MUL):
        made = [value_maker(graph, tensor) for tensor in last.inputs]
        for above, below in ((made[0], made[1]), (made[1], made[0])):
            if below is not None and _is(below, _DIV) and _is_one(graph, below.inputs[0]):
                return _of(graph, above, value_maker(graph, below.inputs[1]), last)
        return UNKNOWN
    if not _is(last, _DIV):
        return UNKNOWN
    return _of(graph, value_maker(graph, last.inputs[0]), value_maker(graph, last.inputs[1]), last)


def _of(graph: Graph, above: Operator | None, below: Operator | None, last: Operator) -> str:
    if below is None:
        return UNKNOWN
    if _is(below, _SUM) and above is not None and _is(above, _EXP):
        summed = value_maker(graph, below.inputs[0])
        return SOFTMAX if summed is above else UNKNOWN
    if _is(below, _ADD):  # 1 / (1 + exp(-x)), or exp(x) / (1 + exp(x))
        made = [value_maker(graph, tensor) for tensor in below.inputs]
        ones = [_is_one(graph, tensor) for tensor in below.inputs]
        if any(ones):
            exponential = made[0 if ones[1] else 1]
            if exponential is None or not _is(exponential, _EXP):
                return UNKNOWN
            if above is exponential:
                return SIGMOID
            if _is_one(graph, last.inputs[0]) and _negative(graph, exponential.inputs[0]):
                return SIGMOID
    return UNKNOWN


def _log_softmax(graph: Graph, last: Operator) -> bool:
    """``x - log(sum(exp(x)))``, or the logarithm of a quotient that is a softmax."""
    if _is(last, _LOG):
        inner = value_maker(graph, last.inputs[0])
        return inner is not None and _quotient(graph, inner) == SOFTMAX
    if not _is(last, _SUB):
        return False
    taken = value_maker(graph, last.inputs[1])
    if taken is None or not _is(taken, _LOG):
        return False
    summed = value_maker(graph, taken.inputs[0])
    if summed is None or not _is(summed, _SUM):
        return False
    exponential = value_maker(graph, summed.inputs[0])
    return exponential is not None and _is(exponential, _EXP)


def _negative(graph: Graph, tensor: int) -> bool:
    maker = value_maker(graph, tensor)
    if maker is None:
        return False
    constants = [graph.tensors[i].value for i in maker.inputs]
    return _is(maker, _NEG) or (
        _is(maker, _MUL) and any(v is not None and bool((v < 0).all()) for v in constants)
    )


def _is(operator: Operator, code: int) -> bool:
    return operator.code == code


def _is_one(graph: Graph, tensor: int) -> bool:
    value = graph.tensors[tensor].value
    return value is not None and bool(np.all(value == 1))


def value_maker(graph: Graph, tensor: int) -> Operator | None:
    """What makes a tensor's values; what only moves them is passed over."""
    for _ in graph.operators:
        maker = graph.makers.get(tensor)
        if maker is None or maker.code not in PASSING:
            return maker
        tensor = maker.inputs[0]
    return None


def _tail(graph: Graph, last: Operator) -> list[Operator]:
    """``last`` and the plain operators before it, back to what is none."""
    found: list[Operator] = []
    waiting = [last]
    while waiting:
        operator = waiting.pop()
        if operator.code not in _PLAIN or any(operator is known for known in found):
            continue
        found.append(operator)
        made = (graph.makers.get(tensor) for tensor in operator.inputs)
        waiting += [maker for maker in made if maker is not None]
    return found
