"""A model file's graph as the file tells it: tensors, operators, what feeds what.

Numbers are those of TensorFlow Lite's schema.fbs.
"""

from __future__ import annotations

import math
import struct
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from roadmask.errors import ModelError
from roadmask.inference.flatbuffer import (
    bytes_at,
    read_bytes,
    read_field,
    read_integers,
    read_number,
    read_numbers,
    read_table,
    read_u32,
    read_vector,
)

_MODEL_CODES, _MODEL_SUBGRAPHS, _MODEL_BUFFERS = 1, 2, 4
_CODE_OLD, _CODE_CUSTOM, _CODE_BUILTIN = 0, 1, 3
_GRAPH_TENSORS, _GRAPH_INPUTS, _GRAPH_OUTPUTS, _GRAPH_OPERATORS = 0, 1, 2, 3
_OPERATOR_CODE, _OPERATOR_INPUTS, _OPERATOR_OUTPUTS = 0, 1, 2
_SHAPE, _TYPE, _BUFFER, _NAME, _QUANTISATION, _SIGNATURE = 0, 1, 2, 3, 4, 7
_SCALE, _ZERO_POINT = 2, 3
_DTYPES = {0: "float32", 1: "float16", 2: "int32", 3: "uint8", 4: "int64", 7: "int16", 9: "int8"}
_LARGEST_CONSTANT = 64  # bytes; what a graph begins with is a number, or one a channel


@dataclass(frozen=True)
class GraphTensor:
    """A tensor.

    Attributes:
        name: its name.
        shape: its shape; where it is not fixed, 1.
        signature: the same with -1 for what is not fixed.
        dtype: NumPy's name, or ``type N`` for what has none here.
        scales, zero_points: ``real = scale * (q - zero_point)``; empty: not quantised.
        value: of a small constant.
    """

    name: str
    shape: tuple[int, ...]
    signature: tuple[int, ...]
    dtype: str
    scales: tuple[float, ...]
    zero_points: tuple[int, ...]
    value: npt.NDArray[Any] | None

    @property
    def fixed(self) -> bool:
        """Whether the file tells its whole shape."""
        return min(self.signature, default=1) > 0

    @property
    def real_range(self) -> tuple[float, float]:
        """The least and the largest number that a quantised one can hold."""
        limits = np.iinfo(self.dtype)
        scale, zero = self.scales[0], self.zero_points[0]
        return scale * (int(limits.min) - zero), scale * (int(limits.max) - zero)

    @property
    def quantised(self) -> bool:
        """Whether it has one scale and one zero point, both of use."""
        return (
            len(self.scales) == 1 == len(self.zero_points)
            and 0 < self.scales[0] < math.inf
            and self.dtype in ("int8", "uint8")
        )


@dataclass(frozen=True)
class Operator:
    """An operator: its number in the schema and the tensors it reads and makes."""

    code: int
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


@dataclass(frozen=True)
class Graph:
    """The main graph of a model file."""

    tensors: tuple[GraphTensor, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    operators: tuple[Operator, ...]

    @cached_property
    def makers(self) -> dict[int, Operator]:
        """Tensor → the operator that makes it."""
        return {index: operator for operator in self.operators for index in operator.outputs}

    @property
    def counted(self) -> Counter[str]:
        """How many of each operator, by the schema's number."""
        return Counter(f"operator {operator.code}" for operator in self.operators)

    def readers(self, tensor: int) -> list[Operator]:
        """The operators that read it."""
        return [operator for operator in self.operators if tensor in operator.inputs]


def read_graph(data: bytes) -> Graph:
    """The graph of a model file's bytes.

    Raises:
        ModelError: the file's tables point outside it.
    """
    try:
        model = read_u32(data, 0)
        codes = [_code(data, code) for code in read_vector(data, model, _MODEL_CODES)]
        graph = read_vector(data, model, _MODEL_SUBGRAPHS)[0]
        buffers = read_vector(data, model, _MODEL_BUFFERS)
        tensors = read_vector(data, graph, _GRAPH_TENSORS)
        operators = read_vector(data, graph, _GRAPH_OPERATORS)
        return Graph(
            tuple(_tensor(data, tensor, buffers) for tensor in tensors),
            _indices(data, graph, _GRAPH_INPUTS, len(tensors)),
            _indices(data, graph, _GRAPH_OUTPUTS, len(tensors)),
            tuple(
                Operator(
                    codes[read_number(data, operator, _OPERATOR_CODE)],
                    tuple(read_integers(data, operator, _OPERATOR_INPUTS)),
                    tuple(read_integers(data, operator, _OPERATOR_OUTPUTS)),
                )
                for operator in operators
            ),
        )
    except (struct.error, IndexError, ValueError) as error:
        raise ModelError(
            f"the model file is corrupt: its tables point outside it ({error})"
        ) from error


def _code(data: bytes, code: int) -> int:
    # The first 127 stand in the field of the first versions, and often in both.
    return max(read_number(data, code, _CODE_OLD, "b"), read_number(data, code, _CODE_BUILTIN, "i"))


def _indices(data: bytes, graph: int, slot: int, count: int) -> tuple[int, ...]:
    indices = tuple(read_integers(data, graph, slot))
    if any(not 0 <= index < count for index in indices):
        raise IndexError(f"tensors {indices} of {count}")
    return indices


def _tensor(data: bytes, tensor: int, buffers: list[int]) -> GraphTensor:
    shape = tuple(read_integers(data, tensor, _SHAPE))
    signature = tuple(read_integers(data, tensor, _SIGNATURE))
    kind = read_number(data, tensor, _TYPE, "b")
    dtype = _DTYPES.get(kind, f"type {kind}")
    quantisation = read_table(data, tensor, _QUANTISATION)
    scales = read_numbers(data, quantisation, _SCALE, "f") if quantisation else []
    zeros = read_numbers(data, quantisation, _ZERO_POINT, "q") if quantisation else []
    return GraphTensor(
        read_bytes(data, tensor, _NAME).decode(errors="replace"),
        shape,
        signature if len(signature) == len(shape) else shape,
        dtype,
        tuple(scales),
        tuple(int(zero) for zero in zeros),
        _value(data, buffers[read_number(data, tensor, _BUFFER)], dtype),
    )


def _value(data: bytes, buffer: int, dtype: str) -> npt.NDArray[Any] | None:
    start, size = bytes_at(data, buffer, 0)
    if not 0 < size <= _LARGEST_CONSTANT or " " in dtype or not read_field(data, buffer, 0):
        return None
    return np.frombuffer(data[start : start + size], dtype)
