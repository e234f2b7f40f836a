"""The self-describing model file: a ``.tflite`` with a JSON block named ROADMASK inside.

Reading walks the FlatBuffer's vtables itself, for a board has no schema at hand; writing (desktop
only) goes through LiteRT's generated schema.
"""

from __future__ import annotations

import hashlib
import json
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from roadmask.errors import ModelError
from roadmask.inference.flatbuffer import bytes_at, read_bytes, read_field, read_u32, read_vector
from roadmask.inference.model_form import remedy
from roadmask.storage.address import is_address
from roadmask.system.bounded import open_regular, read_bounded
from roadmask.system.ranges import TEMPERATURE

METADATA_NAME = "ROADMASK"
GOLDEN_NAME = "ROADMASK_GOLDEN"  # see ``golden``
# SHA-256 over every byte of the file, these counted as zeros.
SEAL_NAME, SEAL_BYTES = "ROADMASK_SEAL", 32
MODELS_FOLDER = Path(__file__).parents[1] / "models"
DEFAULT_MODEL = "roadlite-288x224"  # FAMILY["s"]
# The edge family by its sizes, smallest and fastest first.
FAMILY = {"s": "roadlite-288x224", "m": "roadlite-384x256", "l": "roadlite-512x384"}
_BYTES = (1 << 31) - 1  # a FlatBuffer's places have 31 bits
# Slots of the Model, Metadata and Buffer tables in TensorFlow Lite's schema.fbs.
_MODEL_BUFFERS, _MODEL_METADATA = 4, 6
_METADATA_NAME, _METADATA_BUFFER = 0, 1
_BUFFER_DATA = 0


@dataclass(frozen=True)
class ModelInfo:
    """What a model says of itself.

    Attributes:
        name: name of the model.
        labels: name of its label set.
        input_size: width and height in px.
        color_order: of the input tensor; only ``RGB`` is written.
        normalisation: scale and offset: the network sees ``pixel * scale + offset``. In an
            integer input tensor it is folded into the quantisation: write the pixel itself.
        output_stride: input size / logits size.
        training: data, commit and recipe.
        calibration: name and SHA-256 of the calibration set.
        scores: ``{"float": {...}, "int8": {...}}`` with the data they were measured on.
        temperature: that logits are divided by where a confidence is made of them, fitted on frames
            that training never saw; 1 where nobody fitted one, and then not in the file.
        extra: anything more.
    """

    name: str
    labels: str
    input_size: tuple[int, int]
    color_order: str = "RGB"
    normalisation: tuple[float, float] = (1 / 127.5, -1.0)
    output_stride: int = 4
    training: dict[str, Any] = field(default_factory=dict)
    calibration: dict[str, Any] = field(default_factory=dict)
    scores: dict[str, Any] = field(default_factory=dict)
    temperature: float = 1.0
    extra: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        TEMPERATURE.convert(self.temperature)

    def to_json(self) -> str:
        """Canonical JSON: the same content gives the same bytes."""
        table = asdict(self)
        if self.temperature == 1:
            del table["temperature"]
        return json.dumps(table, sort_keys=True, separators=(",", ":"), allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> ModelInfo:
        """Unknown keys are kept in ``extra``, so that a newer file still opens."""
        table = json.loads(text)
        known = {f.name for f in fields(cls)}
        values = {key: value for key, value in table.items() if key in known}
        values["extra"] = values.get("extra", {}) | {
            key: value for key, value in table.items() if key not in known
        }
        for key in ("input_size", "normalisation"):
            if key in values:
                values[key] = tuple(values[key])
        return cls(**values)


def smaller_in_family(name: str) -> str:
    """The next smaller network of the shipped family; empty where there is none."""
    names = list(FAMILY.values())
    stem = FAMILY.get(name, Path(name).stem)
    return names[names.index(stem) - 1] if stem in names[1:] else ""


def model_path(name: str | Path) -> Path:
    """A path as it is, an address fetched, or a shipped model by stem, ``s``, ``m`` or ``l``.

    Raises:
        ModelError: no such file.
        ConfigError, DataError: an address that cannot be fetched.
    """
    if is_address(name):
        from roadmask.storage.fetch import fetch  # what unpacks archives takes 10 ms to load

        return fetch(name)
    path = Path(name)
    shipped = MODELS_FOLDER / f"{FAMILY.get(str(name), name)}.tflite"
    if path.is_file():
        return path
    if shipped.is_file():
        return shipped
    if path.exists():
        # Of a FIFO nobody may ever open the other end.
        said = (path.is_dir() and remedy(path)) or "it is no regular file"
        raise ModelError(f"model {path} is not a TensorFlow Lite file: {said}")
    stems = ", ".join([*FAMILY, *sorted(p.stem for p in MODELS_FOLDER.glob("*.tflite"))])
    raise ModelError(f"model {name} is missing: give a .tflite file or a shipped one ({stems})")


def read_model(name: str | Path) -> bytes:
    """The bytes of a model file.

    Raises:
        ModelError: missing, unreadable or no TensorFlow Lite file.
    """
    path = model_path(name)
    try:
        with open_regular(path) as file:
            head, size = file.read(8), os.fstat(file.fileno()).st_size
        if head[4:] != b"TFL3":
            said = remedy(path) or f"{size} bytes of something else; give a .tflite file"
            raise ModelError(f"model {path} is not a TensorFlow Lite file: {said}")
        return read_bounded(path, _BYTES)
    except OSError as error:
        raise ModelError(f"model {path} cannot be read: {error.strerror}") from error


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """What is wrong with a file's bytes is said of the file."""
    try:
        yield
    except ModelError as error:
        if str(path) in str(error):
            raise
        raise ModelError(f"{path}: {error}; get it again, or convert it anew") from error


def digest(data: bytes) -> str:
    """SHA-256 of a model file, in hex: its identity in the stream."""
    return hashlib.sha256(data).hexdigest()


def read_metadata(data: bytes, name: str = METADATA_NAME) -> ModelInfo | None:
    """The ROADMASK block of a model file's bytes, or None where it has none.

    Raises:
        ModelError: the file's tables point outside it, or the block is not ours.
    """
    block = read_block(data, name)
    if block is None:
        return None
    try:
        return ModelInfo.from_json(block.decode())
    except (ValueError, TypeError, KeyError) as error:
        raise ModelError(f"the model's {name} block cannot be read: {error}") from error


def read_block(data: bytes, name: str) -> bytes | None:
    """The bytes of the named metadata entry, or None.

    Raises:
        ModelError: the file's tables point outside it.
    """
    place = block_at(data, name)
    return None if place is None else data[place[0] : place[0] + place[1]]


def block_at(data: bytes, name: str) -> tuple[int, int] | None:
    """Where the bytes of the named metadata entry begin and how many they are, or None.

    Raises:
        ModelError: the file's tables point outside it.
    """
    try:
        model = read_u32(data, 0)
        buffers = read_vector(data, model, _MODEL_BUFFERS)
        for entry in read_vector(data, model, _MODEL_METADATA):
            if read_bytes(data, entry, _METADATA_NAME) == name.encode():
                at = read_field(data, entry, _METADATA_BUFFER)
                index = read_u32(data, at) if at else 0
                return bytes_at(data, buffers[index], _BUFFER_DATA)
    except (struct.error, IndexError) as error:
        raise ModelError(
            f"the model file is corrupt: its tables point outside it ({error})"
        ) from error
    return None


def write_metadata(data: bytes, blocks: dict[str, bytes]) -> bytes:
    """The model with these metadata entries, those of the same name replaced, and sealed.

    Desktop only.
    """
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromPackedBuf(data, 0)
    model.metadata = model.metadata or []
    entries = {(entry.name or b"").decode(): entry for entry in model.metadata}
    for name, content in sorted((blocks | {SEAL_NAME: bytes(SEAL_BYTES)}).items()):
        entry = entries.get(name)
        if entry is None:
            entry = schema.MetadataT()
            entry.name, entry.buffer = name, len(model.buffers)
            model.metadata.append(entry)
            model.buffers.append(schema.BufferT())
        model.buffers[entry.buffer].data = list(content)
    builder = flatbuffers.Builder(len(data) + (1 << 16))
    builder.Finish(model.Pack(builder), b"TFL3")
    return sealed(bytes(builder.Output()))


def sealed(data: bytes) -> bytes:
    """The file with the SHA-256 of all its other bytes in its ``SEAL_NAME`` entry."""
    start, size = block_at(data, SEAL_NAME) or (0, 0)
    if size != SEAL_BYTES:
        raise ModelError(f"a {SEAL_NAME} entry of {size} bytes, expected {SEAL_BYTES}")
    rest = data[:start] + bytes(size) + data[start + size :]
    return data[:start] + hashlib.sha256(rest).digest() + data[start + size :]


def check_seal(data: bytes, path: Path) -> bool:
    """Whether the file carries the digest of its own bytes.

    Raises:
        ModelError: it does, and they are not those.
    """
    if block_at(data, SEAL_NAME) is None:
        return False
    if sealed(data) != data:
        raise ModelError(
            f"model {path} was changed since it was written: the digest that it carries is not "
            "its own; copy it again from where it came from"
        )
    return True
