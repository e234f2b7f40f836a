"""What a ``.tflite`` file computes with: every operator and the type of each of its tensors."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cache
from typing import Any

FLOAT_TYPES = frozenset({"FLOAT16", "FLOAT32", "FLOAT64", "BFLOAT16"})
# Weights of these hold one scale per output channel: (operator, input, axis of the channels).
_PER_CHANNEL = {"CONV_2D": (1, 0), "DEPTHWISE_CONV_2D": (1, 3), "TRANSPOSE_CONV": (1, 0)}


@dataclass(frozen=True)
class Operator:
    """One operator of the graph.

    Attributes:
        name: as the schema names it, ``CONV_2D``.
        tensor: name of its first output, which the Keras layer's name is part of.
        inputs, outputs: types of its tensors, ``INT8``.
        scales: scales of its weights: 1 per tensor, more per channel, 0 without weights.
        channels: output channels of its weights, 0 without weights.
    """

    name: str
    tensor: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    scales: int = 0
    channels: int = 0

    @property
    def is_float(self) -> bool:
        """Whether any of its tensors is of a floating type."""
        return bool(FLOAT_TYPES.intersection(self.inputs + self.outputs))


def read_operators(model: bytes) -> list[Operator]:
    """Every operator of every subgraph, in order of execution."""
    from ai_edge_litert import schema_py_generated as schema

    table = schema.ModelT.InitFromPackedBuf(model, 0)
    return [
        _operator(table, graph, node) for graph in table.subgraphs for node in graph.operators or []
    ]


def float_operators(operators: list[Operator]) -> list[Operator]:
    """The operators that a full-INT8 model must not have."""
    return [o for o in operators if o.is_float]


def count_operators(operators: list[Operator]) -> dict[str, int]:
    """``{"CONV_2D": 31, …}``, the most frequent first."""
    counts = Counter(o.name for o in operators)
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def count_dtypes(operators: list[Operator]) -> dict[str, int]:
    """``{"INT8": 55, "UINT8>INT8": 1}``: the type of the data input, and of the output if other."""
    counts: Counter[str] = Counter()
    for o in operators:
        first, last = (o.inputs or ("-",))[0], (o.outputs or ("-",))[0]
        counts[first if first == last else f"{first}>{last}"] += 1
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def _operator(table: Any, graph: Any, node: Any) -> Operator:
    code = table.operatorCodes[node.opcodeIndex]
    # Old readers find small codes in the deprecated byte, so the larger of the two is the code.
    name = _operator_names().get(max(code.builtinCode, code.deprecatedBuiltinCode), "CUSTOM")
    if name == "CUSTOM" and code.customCode:
        name = f"CUSTOM:{_text(code.customCode)}"
    used = [graph.tensors[i] for i in node.inputs if i >= 0]
    made = [graph.tensors[i] for i in node.outputs if i >= 0]
    scales = channels = 0
    if name in _PER_CHANNEL:
        index, axis = _PER_CHANNEL[name]
        weights = used[index]
        channels = int(weights.shape[axis])
        scale = weights.quantization.scale if weights.quantization is not None else None
        scales = 0 if scale is None else len(scale)
    return Operator(
        name,
        _text(made[0].name) if made else "",
        tuple(_type_names()[t.type] for t in used),
        tuple(_type_names()[t.type] for t in made),
        scales,
        channels,
    )


def _text(value: bytes | str) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else value


@cache
def _operator_names() -> dict[int, str]:
    from ai_edge_litert import schema_py_generated as schema

    return _by_number(schema.BuiltinOperator)


@cache
def _type_names() -> dict[int, str]:
    from ai_edge_litert import schema_py_generated as schema

    return _by_number(schema.TensorType)


def _by_number(enum: type) -> dict[int, str]:
    return {v: k for k, v in vars(enum).items() if isinstance(v, int) and not k.startswith("_")}
