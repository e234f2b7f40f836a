"""A SavedModel folder, wrapped as a Keras network of one layer."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from roadmask.errors import ModelError, first_line

KerasModel = Any
_DEFAULT = "serving_default"


def read_saved_model(path: Path, size: tuple[int, int] | None) -> tuple[KerasModel, str]:
    """The network behind a SavedModel's signature, and which one it is.

    Raises:
        ModelError: unreadable, or not one picture to one map.
    """
    import keras
    import tensorflow as tf

    try:
        signatures = tf.saved_model.load(str(path)).signatures
    except Exception as error:  # protobuf, OSError, ValueError: whatever the damage causes
        raise ModelError(f"model {path} cannot be read as a SavedModel: {first_line(error)}") from (
            error
        )
    name = _DEFAULT if _DEFAULT in signatures else next(iter(signatures), "")
    if not name or (name != _DEFAULT and len(signatures) > 1):
        raise ModelError(
            f"model {path} has the signatures {', '.join(signatures) or '(none)'}, expected "
            f"{_DEFAULT}: export it with model.export('DIR')"
        )
    if halves := _halves(signatures[name].graph.as_graph_def()):
        raise ModelError(
            f"model {path} computes in {' and '.join(halves)}, which TensorFlow Lite has no "
            "operators for: give the .keras file, which is brought to float32, or export it in that"
        )
    inputs = signatures[name].structured_input_signature[1]
    if len(inputs) != 1:
        raise ModelError(f"model {path} has {len(inputs)} inputs, expected one picture")
    shape = next(iter(inputs.values())).shape
    height, width = _size(path, None if shape.rank is None else shape.as_list(), size)
    given = keras.Input((height, width, 3), batch_size=1)
    try:
        made = keras.layers.TFSMLayer(path, call_endpoint=name)(given)
        outputs = list(made.values()) if isinstance(made, dict) else [made]
        if len(outputs) == 1 and None in outputs[0].shape[1:]:
            # The signature leaves the size open; what comes out is asked of a black picture.
            black = signatures[name](tf.zeros((1, height, width, 3)))
            made_shape = tuple(next(iter(black.values())).shape)[1:]
            outputs = [keras.layers.Reshape(made_shape, name="map_of_classes")(outputs[0])]
    except Exception as error:
        raise ModelError(
            f"model {path} does not take a picture of {width}x{height}x3: {first_line(error)}"
        ) from error
    # An absolute path has no absolute name of its own when it is "." or ends in "..".
    return keras.Model(given, outputs, name=_plain(path.resolve().name)), f"signature {name}"


def saved_model_digest(path: Path) -> str:
    """SHA-256 of graph and weights."""
    hasher = hashlib.sha256()
    for file in [path / "saved_model.pb", *sorted((path / "variables").glob("variables.*"))]:
        hasher.update(file.name.encode() + b"\0" + file.read_bytes())
    return hasher.hexdigest()


def _halves(graph: Any) -> list[str]:
    """The kinds of 16-bit floats that its operators, and those of its functions, compute in."""
    import tensorflow as tf

    nodes = [*graph.node, *(n for function in graph.library.function for n in function.node_def)]
    kinds = {n.attr["T"].type for n in nodes if n.op != "Identity" and "T" in n.attr}
    return sorted(kind.name for kind in (tf.float16, tf.bfloat16) if kind.as_datatype_enum in kinds)


def _size(
    path: Path, shape: list[int | None] | None, size: tuple[int, int] | None
) -> tuple[int, int]:
    """Height and width of the input."""
    if shape is not None and (len(shape) != 4 or shape[3] not in (3, None)):
        raise ModelError(
            f"model {path} takes {tuple(shape)}, expected (1, H, W, 3): export it with channels "
            "last and one picture in"
        )
    _, height, width, _ = shape or [None] * 4
    if height is None or width is None:
        if size is None:
            raise ModelError(
                f"model {path} takes pictures of any size, expected a fixed size: give it with "
                "--size, e.g. --size 480x352"
            )
        return size[1], size[0]
    return height, width


def _plain(name: str) -> str:
    return "".join(c if c.isalnum() or c in "_.-" else "_" for c in name) or "saved_model"
