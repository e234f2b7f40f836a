"""Write a file whole or not at all: temporary name in the same folder, fsync, rename.

What is no regular file (a device, a FIFO, an open descriptor) is never replaced: the finished
content goes through it. A link is followed; what it names is written.
"""

from __future__ import annotations

import json
import math
import os
import re
import secrets
import shutil
import stat
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from roadmask.errors import ConfigError, DataError
from roadmask.system.bounded import read_bounded

_DESCRIPTOR = re.compile(r"/dev/std(?P<name>in|out|err)|/(?:dev|proc/self)/fd/(?P<number>\d+)")
_NAMES = {"in": 0, "out": 1, "err": 2}
_notes: Path | None = None  # see ``note_temporaries``
_JSON_BYTES = 1 << 28
_UNTOLD = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_READER_WAIT_S = 10.0  # for somebody to open the other end of a FIFO


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path; when the block succeeds, its content is at ``path``.

    The temporary name keeps the suffix, because image and Keras writers choose the format by it.
    On an exception (Ctrl-C included) nothing is left under either name.

    Raises:
        DataError: it cannot be written; the message says why.
    """
    path = Path(path)
    try:
        place = _through if _is_stream(path) else _beside
        with place(path) as temporary:
            yield temporary
    except OSError as error:
        reason = error.strerror or str(error) or type(error).__name__
        raise DataError(
            f"{path} cannot be written: {reason}; give a file in a folder with room that user "
            f"{os.geteuid()} may write"
        ) from error


def write_bytes(path: str | Path, data: bytes) -> None:
    """Write ``data`` to ``path``, as ``atomic_path`` does."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(data)


def write_text(path: str | Path, text: str) -> None:
    """Write ``text`` as UTF-8; a file's name in it that is none is written with escapes."""
    write_bytes(path, text.encode(errors="backslashreplace"))


def write_json(path: str | Path, record: Any) -> None:
    """Write one JSON value, as ``json_ready`` makes it.

    Raises:
        DataError: the file cannot be written.
    """
    write_text(path, json.dumps(json_ready(record), indent=2, allow_nan=False) + "\n")


def read_json(path: Path, what: str, remedy: str) -> dict[str, Any]:
    """The JSON object that the file holds.

    Raises:
        DataError: it is missing or holds none; ``what`` names it, ``remedy`` says what to give.
    """
    try:
        content = json.loads(read_bounded(path, _JSON_BYTES).decode())
    except OSError as error:
        raise DataError(f"{what} {path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise DataError(f"{what} {path} is not JSON: {error}") from error
    if not isinstance(content, dict):
        raise DataError(f"{what} {path} is not a JSON object: {remedy}")
    return content


def json_ready(value: Any) -> Any:
    """The value with NaN and infinity as None, NumPy's arrays and numbers as Python's."""
    if isinstance(value, dict):
        return {str(key): json_ready(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [json_ready(item) for item in value]
    if hasattr(value, "tolist"):  # NumPy's, without loading it
        return json_ready(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def check_writable(path: Path | None) -> None:
    """Refuse an output path before the work, not after it.

    Raises:
        ConfigError: its folder does not exist or is not ours, or it is a folder itself.
    """
    if path is None:
        return
    if path.is_dir() or not followed(path).parent.is_dir():
        raise ConfigError(f"cannot write {path}: give a file in a folder that exists")
    place = path if _is_stream(path) else followed(path).parent
    if not os.access(place, os.W_OK):
        raise ConfigError(f"cannot write {path}: user {os.geteuid()} may not write in {place}")


def followed(path: str | Path) -> Path:
    """Where ``path`` leads when every link in it is followed; it need not exist."""
    return Path(os.path.realpath(path))


def _is_stream(path: Path) -> bool:
    """Whether ``path`` is there and renaming over it would destroy more than a file's content."""
    if _DESCRIPTOR.fullmatch(str(path)):
        return True
    try:
        return not stat.S_ISREG(path.stat().st_mode)
    except OSError:  # nothing there yet, or what the attempt to write it will say better
        return False


@contextmanager
def _beside(path: Path) -> Iterator[Path]:
    path = followed(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    # Short enough for a name of 255 bytes too.
    temporary = path.with_name(f".{path.stem[:40]}-{secrets.token_hex(4)}{path.suffix[-16:]}")
    note = _noted(temporary)
    try:
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        with suppress(OSError):  # the folder may be what cannot be written
            temporary.unlink(missing_ok=True)
        if note is not None:
            note.unlink(missing_ok=True)


def note_temporaries(folder: Path) -> None:
    """From now on a link there names each file that is being written, ``half-written-*``."""
    global _notes
    _notes = folder


def _noted(temporary: Path) -> Path | None:
    if _notes is None:
        return None
    link = _notes / f"half-written-{secrets.token_hex(4)}"
    with suppress(OSError):  # without it a kill leaves the file, as it does for others
        link.symlink_to(temporary)
        return link
    return None


@contextmanager
def _through(path: Path) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="roadmask-") as folder:
        temporary = Path(folder) / f"content{path.suffix}"
        yield temporary
        with temporary.open("rb") as content, os.fdopen(_open_stream(path), "wb") as stream:
            shutil.copyfileobj(content, stream)


def _open_stream(path: Path) -> int:
    """A descriptor to write to; no file is made and none is emptied."""
    match = _DESCRIPTOR.fullmatch(str(path))
    if match:  # as the shell's >&N: an open file goes on where it is
        for stream in filter(None, (sys.stdout, sys.stderr)):
            stream.flush()
        return os.dup(_NAMES[match["name"]] if match["name"] else int(match["number"]))
    deadline = time.monotonic() + _READER_WAIT_S
    while True:
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_NOCTTY | os.O_NONBLOCK)
        except OSError:  # of a FIFO: nobody reads it yet
            if not path.is_fifo() or time.monotonic() > deadline:
                raise
            time.sleep(0.02)
        else:
            os.set_blocking(descriptor, True)
            return descriptor


def is_text(name: str) -> bool:
    """Whether a file's name can be told to anybody: a file system takes any bytes for one."""
    return not any("\ud800" <= letter <= "\udfff" for letter in name)


def told(text: str) -> str:
    """The text as it can stand in any answer: what is no text, and control characters, escaped."""
    return _UNTOLD.sub(lambda found: found[0].encode("unicode_escape").decode(), text)
