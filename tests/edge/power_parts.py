"""A disk whose power fails after any change: what it may hold then."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

from roadmask.models_store.disk import Disk

Change = Callable[[Path], None]


class RecordingDisk(Disk):
    """Carries every change out, and keeps it with what it needs to be done again elsewhere."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.changes: list[tuple[str, Path | None, Change]] = []  # kind, folder of the name, deed

    def _keep(self, kind: str, path: Path, deed: Callable[[Disk, Path], None]) -> None:
        name = path.relative_to(self.root)
        deed(Disk(), self.root / name)
        self.changes.append((kind, name.parent, lambda root: deed(Disk(), root / name)))

    def make_folder(self, path: Path) -> None:
        self._keep("name", path, lambda disk, there: disk.make_folder(there))

    def write(self, path: Path, data: bytes) -> None:
        self._keep("file", path, lambda disk, there: disk.write(there, data))

    def link(self, path: Path, target: str) -> None:
        self._keep("name", path, lambda disk, there: disk.link(there, target))

    def rename(self, path: Path, to: Path) -> None:
        own = to.relative_to(self.root)
        name = path.relative_to(self.root)
        Disk().rename(path, to)
        self.changes.append(("name", own.parent, lambda r: Disk().rename(r / name, r / own)))

    def sync(self, folder: Path) -> None:
        Disk().sync(folder)
        self.changes.append(("sync", folder.relative_to(self.root), lambda root: None))


def wrecks(before: Path, disk: RecordingDisk, scratch: Path) -> Iterator[Path]:
    """Every tree that a power cut may leave, from the state ``before`` and the changes recorded.

    A name that was not followed by a sync of its folder may be lost with all later changes; the
    file system keeps the order of names (its journal does), but no more.
    """
    for cut in range(len(disk.changes) + 1):
        done = disk.changes[:cut]
        firm = max((i + 1 for i, (kind, *_) in enumerate(done) if kind == "sync"), default=0)
        for kept in range(firm, cut + 1):
            tree = scratch / f"{cut}-{kept}"
            shutil.copytree(before, tree, symlinks=True)
            for _, _, deed in done[:kept]:
                deed(tree)
            yield tree
