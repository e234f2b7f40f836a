"""A float ``.tflite`` file, quantised operator by operator: there are no layers to build anew.

TensorFlow's calibrator and quantiser, which stand behind its converter, take it as it is.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path

from convert.forms.flatbuffer_edits import (
    append_reshape,
    fold_reshapes,
    mix_channels,
    packed,
    read_table,
    shape_of,
    turn_channels_last,
)
from convert.quantise.operators import read_operators
from roadmask.arrays import F32
from roadmask.errors import ModelError


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
        table = read_table(self.content)
        mix_channels(table, *self.mixing)
        return packed(table)


def read_float_file(path: Path) -> tuple[FloatFile, list[str]]:
    """The network, and what was changed of its form.

    Raises:
        ModelError: quantised already, or not one picture of fixed size to one map.
    """
    data, changes = path.read_bytes(), []
    try:
        operators = read_operators(data)
        table = read_table(data)
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
    if turn_channels_last(table):
        changes.append("turned to channels last")
    given, made = (
        shape_of(graph.tensors[graph.inputs[0]]),
        shape_of(graph.tensors[graph.outputs[0]]),
    )
    if len(given) != 3 or given[2] != 3 or -1 in given:
        shown = ", ".join("any" if n < 0 else str(n) for n in given)
        raise ModelError(
            f"model {path} takes (1, {shown}): expected (1, H, W, 3) of fixed size; convert it "
            "with one"
        )
    folded = fold_reshapes(table)
    if len(made) == 2 and (flat := _laid_out(given, made)):
        append_reshape(table, flat)
        changes.append(f"its flat output laid out as {flat[1]}x{flat[0]}x{flat[2]}")
        made = flat
    if len(made) != 3:
        raise ModelError(
            f"model {path} gives {(1, *made)}: expected logits (1, h, w, classes) of fixed size"
        )
    digest = hashlib.sha256(data).hexdigest()
    content = packed(table) if changes or folded else data
    return FloatFile(content, path.stem, _three(given), _three(made), digest), changes


def _three(shape: tuple[int, ...]) -> tuple[int, int, int]:
    height, width, channels = shape
    return height, width, channels


def _laid_out(given: tuple[int, ...], made: tuple[int, ...]) -> tuple[int, int, int] | None:
    from convert.forms.fit_form import laid_out

    return laid_out(given[0], given[1], made[0], made[1])
