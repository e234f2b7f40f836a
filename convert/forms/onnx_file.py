"""An ONNX file, brought to Keras by onnx2keras and compared with ONNX Runtime before it is used."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from roadmask.errors import ConfigError, ModelError, first_line

KerasModel = Any
Proto = Any
_AGREE = 0.999  # of the answers of both, of a random picture
_FROM_NHWC, _TO_NHWC = [0, 3, 1, 2], [0, 2, 3, 1]
OTHERWISE = (
    "convert it with onnx2tf, in an environment of its own (docs/conversion.md), and give the "
    "SavedModel folder"
)


def read_onnx(path: Path, size: tuple[int, int] | None) -> tuple[KerasModel, list[str]]:
    """The network with channels last, and what was changed.

    Raises:
        ConfigError: the group `onnx` is not installed.
        ModelError: unreadable, an operator that onnx2keras lacks, or other answers than the file's.
    """
    try:
        import onnx
        import onnx2keras  # noqa: F401
        import onnxruntime  # noqa: F401
    except ImportError as error:
        raise ConfigError(
            f"an ONNX file needs {error.name}, which is missing: install the group onnx "
            "(pip install --group onnx), or export the network as a SavedModel or .keras"
        ) from error
    try:
        proto = onnx.load(path)
    except Exception as error:  # protobuf's DecodeError, OSError of weights beside the file
        raise ModelError(f"model {path} cannot be read as an ONNX file: {first_line(error)}") from (
            error
        )
    whole, changes = _channels_first(path, proto), ["turned to channels last"]
    shape = _picture(path, proto, whole, size)
    model = _to_keras(path, proto, shape)
    _compare(path, model, shape, whole)
    return model, changes


def _channels_first(path: Path, proto: Proto) -> bool:
    """Take the transposes at both ends out of a graph that was exported with channels last."""
    graph = proto.graph
    weights = {each.name for each in graph.initializer}
    inputs = [each for each in graph.input if each.name not in weights]
    if len(inputs) != 1 or len(graph.output) != 1:
        raise ModelError(
            f"model {path} has {len(inputs)} inputs and {len(graph.output)} outputs: expected one "
            "each"
        )
    for each in [each for each in graph.input if each.name in weights]:
        graph.input.remove(each)  # old files list their weights as inputs too
    dims = graph.input[0].type.tensor_type.shape.dim
    if len(dims) != 4 or dims[3].dim_value != 3 or dims[1].dim_value == 3:
        return True
    given = graph.input[0].name
    readers = [node for node in graph.node if given in node.input]
    if not all(_turns(node, _FROM_NHWC) for node in readers):
        raise ModelError(
            f"model {path} takes pictures with channels last and does not turn them round at "
            f"once: {OTHERWISE}"
        )
    for node in readers:
        _bypass(graph, node, node.output[0], given)
    order = [dims[axis] for axis in _FROM_NHWC]
    for dim in order:
        dims.add().CopyFrom(dim)
    del dims[:4]
    last = next(node for node in graph.node if graph.output[0].name in node.output)
    if _turns(last, _TO_NHWC):
        graph.node.remove(last)
        graph.output[0].name = last.input[0]
        del graph.output[0].type.tensor_type.shape.dim[:]
    return False


def _turns(node: Any, order: list[int]) -> bool:
    return node.op_type == "Transpose" and list(node.attribute[0].ints) == order


def _bypass(graph: Any, node: Any, made: str, given: str) -> None:
    graph.node.remove(node)
    for other in graph.node:
        for index, name in enumerate(other.input):
            if name == made:
                other.input[index] = given


def _picture(
    path: Path, proto: Proto, first: bool, size: tuple[int, int] | None
) -> tuple[int, int, int]:
    """Channels, height and width of the input, which becomes fixed."""
    dims = proto.graph.input[0].type.tensor_type.shape.dim
    values = [dim.dim_value for dim in dims]
    if len(values) != 4 or values[1] != 3:
        raise ModelError(
            f"model {path} takes {tuple(v or None for v in values)}, expected (1, 3, H, W)"
        )
    if 0 in values[2:]:
        if size is None:
            raise ModelError(
                f"model {path} takes pictures of any size, expected a fixed size: give it with "
                "--size, e.g. --size 480x352"
            )
        dims[2].dim_value, dims[3].dim_value = size[1], size[0]
    dims[0].dim_value = 1
    return 3, dims[2].dim_value, dims[3].dim_value


def _to_keras(path: Path, proto: Proto, shape: tuple[int, int, int]) -> KerasModel:
    import keras
    import onnx2keras.layers as known
    from onnx2keras import onnx_to_keras

    missing = sorted({node.op_type for node in proto.graph.node} - set(known.AVAILABLE_CONVERTERS))
    if missing:
        raise ModelError(f"onnx2keras has no form for {', '.join(missing)} of {path}: {OTHERWISE}")
    plain = known.AVAILABLE_CONVERTERS["Resize"]
    layout = keras.backend.image_data_format()
    known.AVAILABLE_CONVERTERS["Resize"] = partial(_resize, plain)
    try:
        model = onnx_to_keras(
            proto,
            [proto.graph.input[0].name],
            input_shapes=[shape],
            verbose=False,
            change_ordering=True,
        )
    except Exception as error:  # whatever it meets: KeyError, AssertionError, AttributeError
        raise ModelError(
            f"onnx2keras cannot read {path} ({first_line(error)}): {OTHERWISE}"
        ) from error
    finally:
        known.AVAILABLE_CONVERTERS["Resize"] = plain
        keras.backend.set_image_data_format(layout)  # which it leaves changed where it fails
    model.name = "".join(c if c.isalnum() or c in "_.-" else "_" for c in path.stem)
    return model


def _resize(
    plain: Any,
    node: Any,
    params: Any,
    layers: Any,
    functions: Any,
    node_name: str,
    keras_name: str,
) -> None:
    """Bilinear by whole factors, which onnx2keras lacks and nearly every segmentation network has.

    Other factors and aligned corners are refused; ``plain``, its own, does the rest.
    """
    import keras

    def text(key: str, otherwise: str) -> str:
        value = params.get(key, otherwise)
        return value.decode() if isinstance(value, bytes) else str(value)

    given = layers[node.input[0]]
    halves = text("coordinate_transformation_mode", "half_pixel")
    if text("mode", "nearest") != "linear" or halves not in ("half_pixel", "pytorch_half_pixel"):
        plain(node, params, layers, functions, node_name, keras_name)
        return
    told = [np.asarray(layers[name]) if name else np.empty(0) for name in node.input[2:]]
    factors = told[0][2:] if told[0].size else told[1][2:] / np.array(given.shape[2:], float)
    if not np.array_equal(factors, np.round(factors)):
        raise NotImplementedError(f"Resize by {factors.tolist()}, no whole factors")
    size = tuple(int(factor) for factor in factors)
    layer = keras.layers.UpSampling2D(size, interpolation="bilinear", name=keras_name)
    layers[node_name] = layer(given)


def _compare(path: Path, model: KerasModel, shape: tuple[int, int, int], whole: bool) -> None:
    """Ask ONNX Runtime the same: the converter calls itself experimental."""
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    picture = np.random.default_rng(1).random((1, *shape), np.float32)
    last = picture.transpose(0, 2, 3, 1)
    told = session.run(None, {session.get_inputs()[0].name: picture if whole else last})[0]
    made = np.asarray(model(last, training=False))
    if told.ndim == 4 and told.shape != made.shape:
        told = told.transpose(0, 2, 3, 1)
    tolerance = 1e-3 * max(1.0, float(np.abs(told).max()))
    if told.shape != made.shape or np.mean(np.abs(told - made) <= tolerance) < _AGREE:
        raise ModelError(
            f"what onnx2keras makes of {path} answers otherwise than ONNX Runtime: {OTHERWISE}"
        )
