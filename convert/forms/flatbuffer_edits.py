"""Changes of a float ``.tflite`` that keep every value: its ends, shapes, a first convolution."""

from __future__ import annotations

from typing import Any

import numpy as np

from roadmask.arrays import F32

Table = Any  # the schema's ModelT
_TO_FIRST, _TO_LAST = [0, 3, 1, 2], [0, 2, 3, 1]


def shape_of(tensor: Any) -> tuple[int, ...]:
    """Without the batch; -1 is any."""
    signature = tensor.shapeSignature
    return tuple(int(n) for n in (tensor.shape if signature is None else signature))[1:]


def turn_channels_last(table: Table) -> bool:
    """PyTorch's layout at both ends turned round: by taking its transposes out, or adding ours."""
    graph = table.subgraphs[0]
    given, made = graph.inputs[0], graph.outputs[0]
    shape = shape_of(graph.tensors[given])
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
    elif len(first := shape_of(graph.tensors[made])) == 3:
        graph.outputs = [_new_tensor(table, "channels_last_made", (1, *first[1:], first[0]))]
        graph.operators.append(_transpose(table, made, graph.outputs[0], _TO_LAST))
    table.signatureDefs = []  # which name tensors that are no ends any more
    return True


def fold_reshapes(table: Table) -> bool:
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


def mix_channels(table: Table, kernel: F32, bias: F32) -> None:
    """A 1x1 convolution ahead of everything: ``(3, 3)`` from R, G and B, and ``(3,)``."""
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


def append_reshape(table: Table, shape: tuple[int, int, int]) -> None:
    """The output laid out as height, width, classes."""
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


def read_table(data: bytes) -> Table:
    """The file as objects."""
    from ai_edge_litert import schema_py_generated as schema

    return schema.ModelT.InitFromPackedBuf(data, 0)


def packed(table: Table) -> bytes:
    """The objects as a file."""
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
