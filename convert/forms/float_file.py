"""A float ``.tflite`` file, quantised operator by operator: there are no layers to build anew.

TensorFlow's calibrator and quantiser, which stand behind its converter, take it as it is.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from convert.quantise.operators import read_operators
from roadmask.arrays import F32
from roadmask.errors import ModelError

Table = Any
_TO_FIRST, _TO_LAST = [0, 3, 1, 2], [0, 2, 3, 1]


@dataclass(frozen=True)
class FloatFile:
    """A float ``.tflite`` as it is converted; the attributes are those of ``ExportGraph``.

    Attributes:
        content: the file, with pictures ``(1, H, W, 3)`` in and a map ``(1, h, w, classes)`` out.
        stem: its name.
        input_shape, output_shape: height, width, channels.
        normalisation: it is fed with ``pixel * scale + offset``.
        weights_digest: SHA-256 of the file that was given.
        mixing: as ``ExportGraph``'s.
    """

    content: bytes
    stem: str
    input_shape: tuple[int, int, int]
    output_shape: tuple[int, int, int]
    weights_digest: str
    normalisation: tuple[float, float] = (1.0, 0.0)
    operator_names: dict[str, str] = field(default_factory=dict)
    mixing: tuple[F32, F32] | None = None

    @property
    def input_size(self) -> tuple[int, int]:
        """Width and height in px."""
        return self.input_shape[1], self.input_shape[0]

    @property
    def channels(self) -> int:
        """Number of classes."""
        return self.output_shape[2]

    @property
    def output_stride(self) -> int:
        """Input width / logits width."""
        return self.input_shape[1] // self.output_shape[1]

    @property
    def name(self) -> str:
        """Network and input size, as shipped models are named."""
        width, height = self.input_size
        size = f"{width}x{height}"
        return self.stem if self.stem.endswith(size) else f"{self.stem}-{size}"

    def flatbuffer(self) -> bytes:
        """The file, with the 1x1 convolution of ``mixing`` ahead of it."""
        if self.mixing is None:
            return self.content
        table = _table(self.content)
        _mix(table, *self.mixing)
        return _packed(table)


def read_float_file(path: Path) -> tuple[FloatFile, list[str]]:
    """The network, and what was changed of its form.

    Raises:
        ModelError: quantised already, or not one picture of fixed size to one map.
    """
    data, changes = path.read_bytes(), []
    try:
        operators = read_operators(data)
        table = _table(data)
        graph = table.subgraphs[0]
        ends = [graph.tensors[i] for i in (*graph.inputs, *graph.outputs)]
    except Exception as error:  # struct.error, IndexError: whatever the damage causes
        raise ModelError(f"model {path} is a damaged .tflite file: fetch it again") from error
    if len(graph.inputs) != 1 or len(graph.outputs) != 1:
        raise ModelError(
            f"model {path} has {len(graph.inputs)} inputs and {len(graph.outputs)} outputs: "
            "expected one each"
        )
    types = {kind for o in operators for kind in (*o.inputs, *o.outputs)}
    if types & {"INT8", "UINT8", "INT16"} or any(end.type != 0 for end in ends):
        raise ModelError(
            f"model {path} is a .tflite file that is quantised already: run it as it is, or give "
            "the float file that it was made from"
        )
    if "FLOAT16" in types:
        raise ModelError(
            f"model {path} is a .tflite file with float16 weights: give the one with float32, or "
            "the Keras file or SavedModel that it was made from"
        )
    if _channels_last(table):
        changes.append("turned to channels last")
    given, made = _shape(graph.tensors[graph.inputs[0]]), _shape(graph.tensors[graph.outputs[0]])
    if len(given) != 3 or given[2] != 3 or -1 in given:
        shown = ", ".join("any" if n < 0 else str(n) for n in given)
        raise ModelError(
            f"model {path} takes (1, {shown}): expected (1, H, W, 3) of fixed size; convert it "
            "with one"
        )
    folded = _fold_reshapes(table)
    if len(made) == 2 and (flat := _laid_out(given, made)):
        _reshape(table, flat)
        changes.append(f"its flat output laid out as {flat[1]}x{flat[0]}x{flat[2]}")
        made = flat
    if len(made) != 3:
        raise ModelError(
            f"model {path} gives {(1, *made)}: expected logits (1, h, w, classes) of fixed size"
        )
    digest = hashlib.sha256(data).hexdigest()
    content = _packed(table) if changes or folded else data
    return FloatFile(content, path.stem, _three(given), _three(made), digest), changes


def _shape(tensor: Any) -> tuple[int, ...]:
    """Without the batch; -1 is any."""
    signature = tensor.shapeSignature
    return tuple(int(n) for n in (tensor.shape if signature is None else signature))[1:]


def _three(shape: tuple[int, ...]) -> tuple[int, int, int]:
    height, width, channels = shape
    return height, width, channels


def _laid_out(given: tuple[int, ...], made: tuple[int, ...]) -> tuple[int, int, int] | None:
    from convert.forms.fit_form import laid_out

    return laid_out(given[0], given[1], made[0], made[1])


def _channels_last(table: Table) -> bool:
    """PyTorch's layout at both ends turned round: by taking its transposes out, or adding ours."""
    graph = table.subgraphs[0]
    given, made = graph.inputs[0], graph.outputs[0]
    shape = _shape(graph.tensors[given])
    if len(shape) != 3 or shape[0] != 3 or shape[2] == 3 or -1 in shape:
        return False
    readers = [node for node in graph.operators if given in node.inputs]
    if readers and all(_order(table, node) == _TO_LAST for node in readers):
        for node in readers[1:]:
            _replace(graph, node.outputs[0], readers[0].outputs[0])
        graph.operators = [node for node in graph.operators if node not in readers]
        graph.inputs = [readers[0].outputs[0]]
    else:
        graph.inputs = [_new_tensor(table, "channels_last", (1, *shape[1:], 3))]
        graph.operators.insert(0, _transpose(table, graph.inputs[0], given, _TO_FIRST))
    last = next(node for node in graph.operators if made in node.outputs)
    if _order(table, last) == _TO_FIRST:
        graph.operators = [node for node in graph.operators if node is not last]
        graph.outputs = [last.inputs[0]]
    elif len(first := _shape(graph.tensors[made])) == 3:
        graph.outputs = [_new_tensor(table, "channels_last_made", (1, *first[1:], first[0]))]
        graph.operators.append(_transpose(table, made, graph.outputs[0], _TO_LAST))
    table.signatureDefs = []  # which name tensors that are no ends any more
    return True


def _fold_reshapes(table: Table) -> bool:
    """Shapes that are computed from the batch's size, which is one, become constants.

    LiteRT gives no such output a place before it runs.
    """
    from ai_edge_litert import schema_py_generated as schema

    graph, folded = table.subgraphs[0], False
    for node in graph.operators:
        code = table.operatorCodes[node.opcodeIndex].builtinCode
        if code != schema.BuiltinOperator.RESHAPE or len(node.inputs) < 2:
            continue
        if table.buffers[graph.tensors[node.inputs[1]].buffer].data is None:
            whole = np.array(graph.tensors[node.outputs[0]].shape, np.int32)
            name = f"shape_{len(table.buffers)}"
            node.inputs = [node.inputs[0], _new_tensor(table, name, whole.shape, whole)]
            folded = True
    if folded:
        used = set(graph.outputs)
        kept = []
        for node in reversed(graph.operators):
            if used & set(node.outputs):
                kept.append(node)
                used |= set(node.inputs)
        graph.operators = kept[::-1]
    return folded


def _transpose(table: Table, given: int, made: int, order: list[int]) -> Any:
    from ai_edge_litert import schema_py_generated as schema

    node = _operator(table, schema.BuiltinOperator.TRANSPOSE, 1)
    axes = np.array(order, np.int32)
    node.inputs = [given, _new_tensor(table, f"axes_{len(table.buffers)}", axes.shape, axes)]
    node.outputs = [made]
    node.builtinOptionsType = schema.BuiltinOptions.TransposeOptions
    node.builtinOptions = schema.TransposeOptionsT()
    return node


def _order(table: Table, node: Any) -> list[int] | None:
    """Axes of a transpose; None of anything else."""
    from ai_edge_litert import schema_py_generated as schema

    if table.operatorCodes[node.opcodeIndex].builtinCode != schema.BuiltinOperator.TRANSPOSE:
        return None
    data = table.buffers[table.subgraphs[0].tensors[node.inputs[1]].buffer].data
    return None if data is None else np.frombuffer(bytes(data), np.int32).tolist()


def _replace(graph: Any, old: int, new: int) -> None:
    for node in graph.operators:
        node.inputs = [new if i == old else i for i in node.inputs]


def _mix(table: Table, kernel: F32, bias: F32) -> None:
    from ai_edge_litert import schema_py_generated as schema

    graph = table.subgraphs[0]
    given = graph.inputs[0]
    pixels = _new_tensor(table, "input_channels/pixels", graph.tensors[given].shape)
    weights = np.ascontiguousarray(kernel.T)[:, None, None]  # out, 1, 1, in
    options = schema.Conv2DOptionsT()
    options.strideW = options.strideH = options.dilationWFactor = options.dilationHFactor = 1
    options.padding = schema.Padding.VALID
    node = _operator(table, schema.BuiltinOperator.CONV_2D, 1)
    node.builtinOptionsType, node.builtinOptions = schema.BuiltinOptions.Conv2DOptions, options
    node.inputs = [
        pixels,
        _new_tensor(table, "input_channels/weights", weights.shape, weights),
        _new_tensor(table, "input_channels/bias", bias.shape, bias),
    ]
    node.outputs = [given]
    graph.operators.insert(0, node)
    graph.inputs = [pixels]
    table.signatureDefs = []


def _reshape(table: Table, shape: tuple[int, int, int]) -> None:
    from ai_edge_litert import schema_py_generated as schema

    graph = table.subgraphs[0]
    whole = np.array((1, *shape), np.int32)
    options = schema.ReshapeOptionsT()
    options.newShape = whole.tolist()
    node = _operator(table, schema.BuiltinOperator.RESHAPE, 1)
    node.builtinOptionsType, node.builtinOptions = schema.BuiltinOptions.ReshapeOptions, options
    size = _new_tensor(table, "map_of_classes/shape", whole.shape, whole)
    node.inputs, node.outputs = (
        [graph.outputs[0], size],
        [_new_tensor(table, "map_of_classes", whole)],
    )
    graph.operators.append(node)
    graph.outputs = list(node.outputs)
    table.signatureDefs = []


def _operator(table: Table, code: int, version: int) -> Any:
    from ai_edge_litert import schema_py_generated as schema

    kind = schema.OperatorCodeT()
    kind.builtinCode = kind.deprecatedBuiltinCode = code
    kind.version = version
    table.operatorCodes.append(kind)
    node = schema.OperatorT()
    node.opcodeIndex = len(table.operatorCodes) - 1
    return node


def _new_tensor(table: Table, name: str, shape: Any, values: Any = None) -> int:
    from ai_edge_litert import schema_py_generated as schema

    tensor, buffer = schema.TensorT(), schema.BufferT()
    if values is not None:
        buffer.data = np.frombuffer(values.tobytes(), np.uint8)
    table.buffers.append(buffer)
    tensor.name, tensor.buffer = name, len(table.buffers) - 1
    tensor.shape = [int(n) for n in shape]
    integers = values is not None and values.dtype == np.int32
    tensor.type = schema.TensorType.INT32 if integers else schema.TensorType.FLOAT32
    table.subgraphs[0].tensors.append(tensor)
    return len(table.subgraphs[0].tensors) - 1


def _table(data: bytes) -> Table:
    from ai_edge_litert import schema_py_generated as schema

    return schema.ModelT.InitFromPackedBuf(data, 0)


def _packed(table: Table) -> bytes:
    import flatbuffers

    # The calibrator refuses a kind of operator that none is of.
    nodes = [node for graph in table.subgraphs for node in graph.operators]
    used = sorted({node.opcodeIndex for node in nodes})
    table.operatorCodes = [table.operatorCodes[index] for index in used]
    for node in nodes:
        node.opcodeIndex = used.index(node.opcodeIndex)
    builder = flatbuffers.Builder(1 << 16)
    builder.Finish(table.Pack(builder), b"TFL3")
    return bytes(builder.Output())
