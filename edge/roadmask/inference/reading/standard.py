"""What TensorFlow Lite's own metadata tells: how pixels are normalised, what classes are called.

Slots and numbers are those of metadata_schema.fbs. The label files lie in a zip archive that is
appended to the model file.
"""

from __future__ import annotations

import io
import struct
import zipfile
from dataclasses import dataclass

from roadmask.errors import ModelError
from roadmask.inference.flatbuffer import (
    read_bytes,
    read_number,
    read_numbers,
    read_table,
    read_u32,
    read_vector,
)
from roadmask.inference.model_file import read_block

STANDARD_NAME = "TFLITE_METADATA"
_MODEL_SUBGRAPHS, _GRAPH_INPUTS, _GRAPH_OUTPUTS = 3, 2, 3
_TENSOR_CONTENT, _TENSOR_UNITS, _TENSOR_FILES = 3, 4, 6
_CONTENT_KIND, _CONTENT_PROPERTIES, _IMAGE, _COLOURS, _GREY = 0, 1, 2, 0, 2
_UNIT_KIND, _UNIT_OPTIONS, _NORMALISATION = 0, 1, 1
_MEAN, _STD = 0, 1
_FILE_NAME, _FILE_KIND, _LABEL_FILES = 0, 2, (2, 3)
_LARGEST_LABELS = 1 << 20


@dataclass(frozen=True)
class StandardMetadata:
    """What the block says; empty where it says nothing.

    Attributes:
        mean, std: the network sees ``(pixel - mean) / std``; one number, or one a channel.
        grey: the input is said to be a grey picture.
        labels: of each output, the names of its classes.
    """

    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    grey: bool = False
    labels: tuple[tuple[str, ...], ...] = ()


def read_standard(data: bytes) -> StandardMetadata:
    """The block of a model file's bytes; an empty one where it has none.

    Raises:
        ModelError: the block is damaged.
    """
    block = read_block(data, STANDARD_NAME)
    if not block:
        return StandardMetadata()
    try:
        graphs = read_vector(block, read_u32(block, 0), _MODEL_SUBGRAPHS)
        if not graphs:
            return StandardMetadata()
        inputs = read_vector(block, graphs[0], _GRAPH_INPUTS)
        outputs = read_vector(block, graphs[0], _GRAPH_OUTPUTS)
        mean, std, grey = _input(block, inputs[0]) if inputs else ((), (), False)
        labels = tuple(_labels(block, output, data) for output in outputs)
        return StandardMetadata(mean, std, grey, labels)
    except (struct.error, IndexError, ValueError) as error:
        raise ModelError(f"the model's {STANDARD_NAME} block cannot be read: {error}") from error


def _input(block: bytes, tensor: int) -> tuple[tuple[float, ...], tuple[float, ...], bool]:
    content, grey = read_table(block, tensor, _TENSOR_CONTENT), False
    if content and read_number(block, content, _CONTENT_KIND, "B") == _IMAGE:
        picture = read_table(block, content, _CONTENT_PROPERTIES)
        grey = bool(picture) and read_number(block, picture, _COLOURS, "b") == _GREY
    for unit in read_vector(block, tensor, _TENSOR_UNITS):
        if read_number(block, unit, _UNIT_KIND, "B") == _NORMALISATION:
            options = read_table(block, unit, _UNIT_OPTIONS)
            mean, std = (tuple(read_numbers(block, options, slot, "f")) for slot in (_MEAN, _STD))
            if mean and std and all(std):
                return mean, std, grey
    return (), (), grey


def _labels(block: bytes, tensor: int, data: bytes) -> tuple[str, ...]:
    for file in read_vector(block, tensor, _TENSOR_FILES):
        if read_number(block, file, _FILE_KIND, "b") in _LABEL_FILES:
            name = read_bytes(block, file, _FILE_NAME).decode(errors="replace")
            return _lines(data, name)
    return ()


def _lines(data: bytes, name: str) -> tuple[str, ...]:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            if archive.getinfo(name).file_size > _LARGEST_LABELS:
                return ()
            text = archive.read(name).decode("utf-8", "replace")
    except (zipfile.BadZipFile, KeyError, NotImplementedError, RuntimeError, OSError, EOFError):
        return ()
    return tuple(line.strip() for line in text.splitlines() if line.strip())
