"""TensorFlow Lite's own metadata in a model file, written slot by slot."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
from typing import Any

import flatbuffers
from ai_edge_litert import schema_py_generated as schema


def with_labels(data: bytes, names: Sequence[str]) -> bytes:
    """The file with TensorFlow Lite's metadata that names a label file, and that file."""
    return with_standard(data, labels="labels.txt") + _archive("labels.txt", "\n".join(names))


def _archive(name: str, text: str) -> bytes:
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w") as archive:
        archive.writestr(name, text)
    return memory.getvalue()


def with_standard(
    data: bytes, mean: Sequence[float] = (), std: Sequence[float] = (), labels: str = ""
) -> bytes:
    """The file with a TFLITE_METADATA block, written by the slots of metadata_schema.fbs."""
    b = flatbuffers.Builder(256)
    inputs = _tensor_metadata(b, units=_units(b, mean, std) if mean else 0)
    outputs = _tensor_metadata(b, files=_files(b, labels) if labels else 0)
    tables = {2: _vector(b, [inputs]), 3: _vector(b, [outputs])}
    graph = _table(b, 10, tables)
    root = _table(b, 8, {3: _vector(b, [graph])})
    b.Finish(root, b"M001")
    return _with_block(data, "TFLITE_METADATA", bytes(b.Output()))


def _with_block(data: bytes, name: str, content: bytes) -> bytes:
    model = schema.ModelT.InitFromPackedBuf(data, 0)
    buffer, entry = schema.BufferT(), schema.MetadataT()
    buffer.data = list(content)
    model.buffers.append(buffer)
    entry.name, entry.buffer = name, len(model.buffers) - 1
    model.metadata = [*(model.metadata or []), entry]
    builder = flatbuffers.Builder(len(data) + 4096)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _table(b: Any, slots: int, offsets: dict[int, int]) -> int:
    b.StartObject(slots)
    for slot, offset in offsets.items():
        b.PrependUOffsetTRelativeSlot(slot, offset, 0)
    return int(b.EndObject())


def _vector(b: Any, offsets: Sequence[int]) -> int:
    b.StartVector(4, len(offsets), 4)
    for offset in reversed(offsets):
        b.PrependUOffsetTRelative(offset)
    return int(b.EndVector())


def _floats(b: Any, values: Sequence[float]) -> int:
    b.StartVector(4, len(values), 4)
    for value in reversed(values):
        b.PrependFloat32(value)
    return int(b.EndVector())


def _tensor_metadata(b: Any, units: int = 0, files: int = 0) -> int:
    return _table(b, 7, {slot: at for slot, at in ((4, units), (6, files)) if at})


def _units(b: Any, mean: Sequence[float], std: Sequence[float]) -> int:
    options = _table(b, 2, {0: _floats(b, mean), 1: _floats(b, std)})
    b.StartObject(2)
    b.PrependUint8Slot(0, 1, 0)  # NormalizationOptions
    b.PrependUOffsetTRelativeSlot(1, options, 0)
    return _vector(b, [b.EndObject()])


def _files(b: Any, name: str) -> int:
    text = b.CreateString(name)
    b.StartObject(5)
    b.PrependUOffsetTRelativeSlot(0, text, 0)
    b.PrependInt8Slot(2, 2, 0)  # TENSOR_AXIS_LABELS
    return _vector(b, [b.EndObject()])
