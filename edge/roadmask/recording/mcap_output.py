"""An MCAP file being written: under a temporary name until it is whole."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import TypeVar

from roadmask import __version__
from roadmask.errors import ConfigError
from roadmask.recording.mcap_file import require_mcap
from roadmask.system.files import followed

Self = TypeVar("Self", bound="McapOutput")


class McapOutput:
    """``path`` + ``.partial``, renamed to ``path`` when the block ends without an error.

    An error leaves the partial file, unless no frame came: whole but for the last megabyte of
    pixels, which is the chunk that was being filled.

    Args:
        path: the file; it must not exist.
        profile: what it says that it holds.
        option: that named it, for what goes wrong.

    Raises:
        ConfigError: mcap is missing, or the file exists or cannot be written.
    """

    def __init__(self, path: str | Path, profile: str, option: str = "--out") -> None:
        require_mcap()
        from mcap.writer import Writer

        self.path, self._option = followed(path), option
        self.partial = self.path.with_name(f"{self.path.name}.partial")
        if self.path.exists():
            raise ConfigError(f"{option} {path} exists: remove it, or give another name")
        try:
            self._file = self.partial.open("xb")
        except FileExistsError as error:
            raise ConfigError(
                f"{self.partial} exists: another recorder writes it, or one was killed and 'mcap "
                f"recover' of the MCAP tools saves its frames; move it, or give another {option}"
            ) from error
        except OSError as error:
            raise ConfigError(
                f"{option} {path}: {error.strerror}; give a file in a writable folder"
            ) from error
        self.frames = self.bytes = 0
        self._writer = Writer(self._file)
        self._writer.start(profile, f"roadmask {__version__}")
        self._channels: dict[str, int] = {}

    def __enter__(self: Self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None:
            try:
                self._finish()
                return
            except OSError as failure:
                self._give_up()
                raise self._unwritable(failure) from failure
        self._give_up()
        if isinstance(error, OSError):
            raise self._unwritable(error) from error

    def _finish(self) -> None:
        finish: Callable[[], None] = self._writer.finish  # mcap gives it no type
        finish()
        self._file.flush()
        os.fsync(self._file.fileno())
        self.bytes = self._file.tell()
        self._file.close()
        self.partial.rename(self.path)

    def _give_up(self) -> None:
        with suppress(OSError):  # what is in the buffer does not fit either
            self._file.close()
        if not self.frames:
            self.partial.unlink(missing_ok=True)

    def _unwritable(self, error: OSError) -> ConfigError:
        kept = f"; its first frames are in {self.partial.name}" if self.frames else ""
        return ConfigError(
            f"{self._option} {self.path}: {error.strerror} after {self.frames} frames: "
            f"make room{kept}, where 'mcap recover' finds them"
        )
