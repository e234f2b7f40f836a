"""Take the conversion of a uint8 input out of a network, in memory: a kernel of ours does it.

Full INT8 networks compute in int8, and one with a uint8 input begins with a QUANTIZE that only
flips the top bit. XNNPACK leaves it to LiteRT's portable kernel, a tenth of a small network's time.
"""

from __future__ import annotations

import struct

from roadmask.inference.flatbuffer import read_field, read_integers, read_u32, read_vector

# Slots of the tables in TensorFlow Lite's schema, and its numbers for types and operators.
_MODEL_CODES, _MODEL_SUBGRAPHS, _MODEL_SIGNATURES = 1, 2, 7
_GRAPH_TENSORS, _GRAPH_INPUTS, _GRAPH_OPERATORS = 0, 1, 3
_CODE_BUILTIN = 3
_OPERATOR_CODE, _OPERATOR_INPUTS, _OPERATOR_OUTPUTS = 0, 1, 2
_TENSOR_TYPE, _TENSOR_QUANTISATION = 1, 4
_QUANTISATION_SCALE, _QUANTISATION_ZERO = 2, 3
_UINT8, _INT8, _QUANTIZE = 3, 9, 114


def int8_input(data: bytes) -> bytes | None:
    """The model with the int8 tensor behind its uint8 input as input; None where it has no such.

    The input that it then takes is the former one with every top bit flipped.
    """
    try:
        return _patched(data)
    except (struct.error, IndexError):
        return None  # whoever loads it will say what is wrong


def _patched(data: bytes) -> bytes | None:
    model = read_u32(data, 0)
    graphs = read_vector(data, model, _MODEL_SUBGRAPHS)
    if len(graphs) != 1 or read_vector(data, model, _MODEL_SIGNATURES):
        return None  # a signature names its tensors too
    graph = graphs[0]
    operators = read_vector(data, graph, _GRAPH_OPERATORS)
    given = read_integers(data, graph, _GRAPH_INPUTS)
    if len(given) != 1 or len(operators) < 2:
        return None
    first = operators[0]
    made = read_integers(data, first, _OPERATOR_OUTPUTS)
    at = read_field(data, first, _OPERATOR_CODE)
    code = read_vector(data, model, _MODEL_CODES)[read_u32(data, at) if at else 0]
    at = read_field(data, code, _CODE_BUILTIN)
    if not at or read_u32(data, at) != _QUANTIZE or len(made) != 1:
        return None
    if read_integers(data, first, _OPERATOR_INPUTS) != given:
        return None
    if any(given[0] in read_integers(data, each, _OPERATOR_INPUTS) for each in operators[1:]):
        return None
    tensors = read_vector(data, graph, _GRAPH_TENSORS)
    before, after = _quantised(data, tensors[given[0]]), _quantised(data, tensors[made[0]])
    if before is None or after != (_INT8, before[1], before[2] - 128) or before[0] != _UINT8:
        return None
    patched = bytearray(data)
    at = read_field(data, graph, _GRAPH_INPUTS)
    struct.pack_into("<i", patched, at + read_u32(data, at) + 4, made[0])
    # The vector of operators begins one later: its length where the first one's place was.
    at = read_field(data, graph, _GRAPH_OPERATORS)
    start = at + read_u32(data, at)
    struct.pack_into("<I", patched, start + 4, len(operators) - 1)
    struct.pack_into("<I", patched, at, start + 4 - at)
    return bytes(patched)


def _quantised(data: bytes, tensor: int) -> tuple[int, float, int] | None:
    """Type, scale and zero point of a tensor that has one of each."""
    at = read_field(data, tensor, _TENSOR_QUANTISATION)
    if not at:
        return None
    table = at + read_u32(data, at)
    scale, zero = (
        read_field(data, table, slot) for slot in (_QUANTISATION_SCALE, _QUANTISATION_ZERO)
    )
    kind = read_field(data, tensor, _TENSOR_TYPE)
    if not (scale and zero and kind):
        return None
    scale, zero = scale + read_u32(data, scale), zero + read_u32(data, zero)
    if read_u32(data, scale) != 1 or read_u32(data, zero) != 1:
        return None
    return (
        data[kind],
        struct.unpack_from("<f", data, scale + 4)[0],
        struct.unpack_from("<q", data, zero + 4)[0],
    )
