"""Read the tensors of a PyTorch weights file without PyTorch, and without running what it says.

The legacy format (before PyTorch 1.6): five pickles one after the other (magic number, protocol,
sizes of types, the table of tensors, the order of the storages), then each storage as its length in
elements and raw little-endian bytes. A pickle is a program; here it may build dictionaries and name
storages, nothing else.
"""

from __future__ import annotations

import pickle
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from roadmask.errors import ModelError, first_line

_MAGIC = 0x1950A86A20F9469CFC6C
_TYPES: dict[str, np.dtype[Any]] = {"FloatStorage": np.dtype("<f4"), "LongStorage": np.dtype("<i8")}
Array = npt.NDArray[Any]


@dataclass(frozen=True)
class _Slot:
    """A tensor of the table: where in which storage it lies."""

    key: str
    dtype: np.dtype[Any]
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]  # in elements

    def view(self, storage: Array) -> Array:
        """The tensor, copied; every element is checked to lie inside the storage."""
        reach = sum((n - 1) * s for n, s in zip(self.shape, self.strides, strict=True))
        if min((*self.shape, *self.strides, 1)) < 0 or self.offset < 0:
            raise ValueError("a negative size")
        if self.offset + reach >= len(storage):
            raise ValueError("a tensor beyond its storage")
        strides = tuple(s * storage.itemsize for s in self.strides)
        part = storage[self.offset :]
        return np.array(np.lib.stride_tricks.as_strided(part, self.shape, strides))


class _Tables(pickle.Unpickler):
    """An unpickler that knows four names; every other one is refused."""

    def find_class(self, module: str, name: str) -> Callable[..., Any] | str:
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _slot
        if module == "torch" and name in _TYPES:
            return name
        raise pickle.UnpicklingError(f"it names {module}.{name}")

    def persistent_load(self, pid: Any) -> tuple[str, np.dtype[Any]]:
        kind, dtype, key, *_ = pid
        if kind != "storage":
            raise pickle.UnpicklingError(f"it refers to a {kind!r}")
        return str(key), _TYPES[dtype]


def _slot(storage: Any, offset: int, shape: Any, strides: Any, *_: Any) -> _Slot:
    key, dtype = storage
    return _Slot(key, dtype, int(offset), tuple(map(int, shape)), tuple(map(int, strides)))


def read_torch_tensors(path: Path) -> dict[str, Array]:
    """Every tensor of a legacy ``.pth`` state dictionary, by its name.

    Raises:
        ModelError: missing, damaged, of another format, or a pickle that names anything else than
            tensors.
    """
    try:
        with path.open("rb") as file:
            return _read(file)
    except OSError as error:
        raise ModelError(f"weights {path} cannot be read: {error.strerror}") from error
    except Exception as error:  # pickle raises what the damage causes: EOFError, KeyError, ...
        raise ModelError(
            f"weights {path} are no legacy PyTorch state dictionary ({first_line(error)}): give "
            "the file of the published package"
        ) from error


def _read(file: BinaryIO) -> dict[str, Array]:
    if _Tables(file).load() != _MAGIC:
        raise ValueError("another magic number")
    _Tables(file).load()  # protocol version
    if not _Tables(file).load()["little_endian"]:
        raise ValueError("big endian")
    table: Mapping[str, Any] = _Tables(file).load()
    slots = {str(name): slot for name, slot in table.items() if isinstance(slot, _Slot)}
    types = {slot.key: slot.dtype for slot in slots.values()}
    storages = {str(key): _storage(file, types[key]) for key in _Tables(file).load()}
    return {name: slot.view(storages[slot.key]) for name, slot in slots.items()}


def _storage(file: BinaryIO, dtype: np.dtype[Any]) -> Array:
    count = int(np.frombuffer(file.read(8), "<i8")[0])
    data = file.read(count * dtype.itemsize) if count >= 0 else b""
    if len(data) != count * dtype.itemsize:
        raise ValueError("it ends early")
    return np.frombuffer(data, dtype)
