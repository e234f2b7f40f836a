"""Models, data sets and manifests by address: ``s3://``, ``gs://``, ``https://`` or a local path.

fsspec (extra ``[cloud]``) reads the object stores; credentials are those that its libraries find,
never part of an address. What was fetched is kept in a cache and used again as long as the store
says that it is the same. ``#sha256=HEX`` at the end of an address pins the content; a pinned file
that is in the cache needs no network.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Any

from roadmask.errors import ConfigError, DataError
from roadmask.storage.address import Address, is_address, parse_address
from roadmask.storage.stores import open_store, store_errors
from roadmask.system.files import atomic_path, write_text

_BLOCK = 1 << 20
_ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
# What tells one content of an object from the next, in the stores' own words.
_MARKS = ("ETag", "etag", "md5Hash", "crc32c", "LastModified", "updated", "created")


def cache_folder() -> Path:
    """``$ROADMASK_CACHE``, or ``roadmask`` in the user's cache folder."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get("ROADMASK_CACHE") or Path(base) / "roadmask")


def fetch(location: str | Path, sha256: str | None = None) -> Path:
    """A local file with that content; a path is returned as it is.

    Args:
        location: path or address, which may end in ``#sha256=HEX``.
        sha256: the digest that the content must have, hex.

    Raises:
        ConfigError: an address or digest that cannot be used, or a library that is missing.
        DataError: it cannot be read, or its content is another one.
    """
    if not is_address(location):
        path = Path(location)
        if sha256 is not None:
            _check(str(path), _digest_of(path), sha256)
        return path
    address = parse_address(str(location), sha256)
    if not address.scheme:
        return fetch(Path(address.url), address.sha256)
    target = _place(address)
    if address.sha256 and target.is_file() and _digest_of(target) == address.sha256:
        return target
    with store_errors(address):
        files, name = open_store(address)
        mark = _mark(files.info(name))
        if mark and _read_note(target) == mark and not address.sha256 and target.is_file():
            return target
        _download(files, name, target, address)
        write_text(_note(target), json.dumps(mark))
    return target


def fetch_folder(location: str | Path) -> Path:
    """A local folder with that content: an archive unpacked, or every object under a prefix.

    Raises:
        ConfigError, DataError: as ``fetch``; an archive that is none, or an empty prefix.
    """
    address = parse_address(str(location)) if is_address(location) else Address(str(location), None)
    if address.name.endswith(_ARCHIVES) and not Path(address.url).is_dir():
        return _unpacked(fetch(location), address)
    if address.sha256:
        raise ConfigError(f"{address}: a folder has no digest; pack it as .tar or .zip to pin it")
    if not address.scheme:
        return Path(address.url)
    if address.scheme in ("http", "https"):
        raise ConfigError(
            f"{address}: folders cannot be listed over https; give a {' or '.join(_ARCHIVES[:3])} "
            "file, or an s3:// or gs:// address"
        )
    target = _place(address)
    with store_errors(address):
        files, root = open_store(address)
        found: dict[str, dict[str, Any]] = files.find(root, detail=True)
        found = {name: info for name, info in found.items() if not name.endswith("/")}
        if not found:
            raise DataError(f"{address}: nothing is there; check the address and the credentials")
        for name, info in _progress(sorted(found.items()), f"{address}"):
            relative = PurePosixPath(name.removeprefix(root).lstrip("/"))
            if ".." in relative.parts:
                raise DataError(f"{address}: the object {name!r} would lie outside its folder")
            file, mark = target / relative, _mark(info)
            if not (mark and file.is_file() and _read_note(file) == mark):
                _download(files, name, file, address, show=False)
                write_text(_note(file), json.dumps(mark))
    return target


def _place(address: Address) -> Path:
    key = hashlib.sha256(address.url.encode()).hexdigest()[:16]
    return cache_folder() / "artefacts" / key / address.name


def _note(file: Path) -> Path:
    return file.with_name(f".{file.name}.mark")


def _read_note(file: Path) -> str:
    try:
        return str(json.loads(_note(file).read_text()))
    except (OSError, ValueError):
        return ""


def _mark(info: dict[str, Any]) -> str:
    """What the store says of the content; empty where it says nothing that would change."""
    marks = [f"{key}={info[key]}" for key in _MARKS if info.get(key)]
    return " ".join((f"size={info.get('size')}", *marks)) if marks else ""


def _download(files: Any, path: str, target: Path, address: Address, show: bool = True) -> None:
    digest, size = hashlib.sha256(), files.info(path).get("size")
    with (
        atomic_path(target) as temporary,
        store_errors(address),
        files.open(path, "rb") as source,
    ):
        with temporary.open("wb") as out:
            blocks = iter(lambda: source.read(_BLOCK), b"")
            for block in _progress(blocks, f"{address}", size) if show else blocks:
                digest.update(block)
                out.write(block)
            received = out.tell()
        if size is not None and received != size:
            raise DataError(f"{address}: {received} of {size} bytes came; try again")
        if address.sha256:
            _check(str(address), digest.hexdigest(), address.sha256)


def _check(what: str, found: str, expected: str) -> None:
    if found != expected.lower():
        raise DataError(
            f"{what} has the SHA-256 {found}, expected {expected}: it was changed, or the digest "
            "is another file's"
        )


def _digest_of(path: Path) -> str:
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            for block in iter(lambda: file.read(_BLOCK), b""):
                digest.update(block)
    except OSError as error:
        raise DataError(f"artefact {path} cannot be read: {error.strerror}") from error
    return digest.hexdigest()


def _unpacked(archive: Path, address: Address) -> Path:
    """The archive's folder, unpacked once for each content."""
    target = cache_folder() / "unpacked" / _digest_of(archive)
    if not target.is_dir():
        target.parent.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(dir=target.parent, prefix=".unpack-"))
        try:
            _unpack(archive, scratch)
            scratch.replace(target)
        except (OSError, zipfile.BadZipFile, tarfile.TarError) as error:
            if not target.is_dir():  # another process may have been first
                raise DataError(f"{address} is no whole archive: {error}") from error
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
    inside = [path for path in target.iterdir() if not path.name.startswith(".")]
    return inside[0] if len(inside) == 1 and inside[0].is_dir() else target


def _unpack(archive: Path, folder: Path) -> None:
    if archive.name.endswith(".zip"):
        with zipfile.ZipFile(archive) as zipped:
            zipped.extractall(folder)  # drops .. and leading slashes by itself
    else:
        with tarfile.open(archive) as tar:
            tar.extractall(folder, filter="data")


def _progress(items: Any, title: str, size: int | None = None) -> Any:
    """A bar on a terminal, where tqdm is installed."""
    if not sys.stderr.isatty():
        return items
    try:
        from tqdm import tqdm
    except ImportError:
        return items
    if size is None:
        return tqdm(items, desc=title, unit="file", leave=False)
    unit: dict[str, Callable[..., Any] | str] = {"unit": "MiB"}
    return tqdm(items, desc=title, total=-(-size // _BLOCK), leave=False, **unit)
