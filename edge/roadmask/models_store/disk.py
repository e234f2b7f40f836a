"""The few changes of a disk that the store is made of, each of which a power cut may follow."""

from __future__ import annotations

import os
from pathlib import Path


class Disk:
    """Real files. A test puts a recorder in its place and cuts the power after every call."""

    def make_folder(self, path: Path) -> None:
        """One folder; its parent is there."""
        path.mkdir()

    def write(self, path: Path, data: bytes) -> None:
        """A file's content, on the disk when this returns; its name is safe after ``sync``."""
        with path.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())

    def link(self, path: Path, target: str) -> None:
        """A symbolic link."""
        path.symlink_to(target)

    def rename(self, path: Path, to: Path) -> None:
        """At once: whoever looks sees the old or the new."""
        path.rename(to)

    def sync(self, folder: Path) -> None:
        """The names in a folder, on the disk when this returns."""
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
