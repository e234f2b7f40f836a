"""A folder at any address to write to and read from: on this machine, or ``s3://``, ``gs://``."""

from __future__ import annotations

from glob import escape
from pathlib import Path, PurePosixPath
from typing import Any

from roadmask.errors import ConfigError, DataError
from roadmask.storage.address import is_address, parse_address
from roadmask.storage.stores import open_store, store_errors
from roadmask.system.bounded import read_bounded
from roadmask.system.files import is_text, write_bytes

_MOST_BYTES = 1 << 26  # a result of some thousand frames has a megabyte
_READ_S, _WRITE_S = 20.0, 60.0  # of a store; what it was asked for is left to itself then


class Folder:
    """Files by name below one address; each appears whole or not at all.

    Args:
        location: a path, or the address of a prefix in an object store.

    Raises:
        ConfigError: an address that cannot be written to.
    """

    def __init__(self, location: str) -> None:
        self.location = location.rstrip("/")
        self._address = parse_address(location) if is_address(location) else None
        if self._address is not None and (
            self._address.sha256 or self._address.scheme not in ("s3", "gs", "memory")
        ):
            raise ConfigError(
                f"{self._address} cannot be written to: give a folder, or an s3:// or gs:// address"
            )

    def write(self, name: str, data: bytes) -> None:
        """``data`` as the file ``name``, which may lie in folders of its own.

        Raises:
            DataError: it cannot be written.
        """
        name = _inside(name)
        if self._address is None:
            path = Path(self.location) / name
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise DataError(f"folder {path.parent} cannot be made: {error.strerror}") from error
            write_bytes(path, data)
            return
        with store_errors(self._address, "written"):
            files, root = open_store(self._address)
            files.pipe_file(f"{root.rstrip('/')}/{name}", data, **_within(files, _WRITE_S))

    def read(self, name: str) -> bytes:
        """The file's content.

        Raises:
            DataError: it cannot be read.
        """
        name = _inside(name)
        if self._address is None:
            path = Path(self.location) / name
            try:
                return read_bounded(path, _MOST_BYTES)
            except OSError as error:
                raise DataError(f"{path} cannot be read: {error.strerror}") from error
        with store_errors(self._address, "read"):
            files, root = open_store(self._address)
            key = f"{root.rstrip('/')}/{name}"
            if files.size(key, **_within(files, _READ_S)) > _MOST_BYTES:
                raise DataError(f"{self.location}/{name} has more than {_MOST_BYTES} bytes")
            data: bytes = files.cat_file(key, **_within(files, _READ_S))
            return data

    def holding(self, file: str) -> list[str]:
        """Names of the folders right below that hold ``file``, sorted; none where nothing is.

        Raises:
            DataError: the store does not answer.
        """
        if self._address is None:
            found = [path.parent.name for path in Path(self.location).glob(f"*/{file}")]
            return sorted(name for name in found if is_text(name))
        with store_errors(self._address, "listed"):
            files, root = open_store(self._address)
            pattern = f"{escape(root.rstrip('/'))}/*/{file}"
            paths = files.glob(pattern, **_within(files, _READ_S))
            return sorted(PurePosixPath(path).parent.name for path in paths)


def _within(files: Any, seconds: float) -> dict[str, float]:
    """fsspec's own limit on a call; its libraries try again and again where nobody answers."""
    return {"timeout": seconds} if files.async_impl else {}


def _inside(name: str) -> str:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or not path.parts:
        raise DataError(f"the name {name!r} would lie outside its folder")
    return str(path)
