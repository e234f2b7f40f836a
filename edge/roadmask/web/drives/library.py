"""The recordings of one folder: found by name, opened as they are asked for, a few kept open."""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timezone
from pathlib import Path

from pydantic import ValidationError

from roadmask.errors import ConfigError, DataError
from roadmask.recording.drive import Drive
from roadmask.system.files import is_text, write_text
from roadmask.web.drives.schemas import DriveFile, Mark, Marks, NewMark
from roadmask.web.problems import ProblemError, busy
from roadmask.web.worker import Worker

_OPEN = 2
_EXPORTS = 4
_MARKS = 1000
_SUFFIX = ".mcap"
_YEAR_9999_S = 253402300799.0


class Library:
    """Recordings below ``place``; all that touches a file runs in ``worker``.

    Args:
        place: an MCAP file, or a folder of them; "" = there are none.
        queue: how many may wait.

    Raises:
        ConfigError: there is no such place.
    """

    def __init__(self, place: str, queue: int) -> None:
        self.place = Path(place) if place else None
        if self.place is not None and not self.place.exists():
            raise ConfigError(f"--drives {place}: there is no such file or folder")
        self.worker = Worker("the timeline", queue)
        self._open: OrderedDict[tuple[str, int, int], Drive] = OrderedDict()
        self._exports = 0

    def files(self) -> list[DriveFile]:
        """The newest first."""
        found = []
        for path in self._paths().values():
            with suppress(OSError):  # removed just now
                found.append((path, path.stat()))
        found.sort(key=lambda entry: -entry[1].st_mtime)
        return [
            DriveFile(name=path.name, bytes=stat.st_size, modified=utc(stat.st_mtime))
            for path, stat in found
        ]

    def path(self, name: str) -> Path:
        """A name is looked up among those that are there, never made a path.

        Raises:
            ProblemError: 404.
        """
        paths = self._paths()
        if name not in paths:
            where = "start the server with --drives PATH" if self.place is None else "see /drives"
            raise ProblemError(404, f"recording {name[:80]!r} is not here: {where}")
        return paths[name]

    def drive(self, name: str) -> Drive:
        """The opened recording; one that was written anew is opened anew.

        Raises:
            ProblemError: 404.
            DataError: it cannot be read.
        """
        path = self.path(name)
        try:
            stat = path.stat()
        except OSError as error:
            raise ProblemError(404, f"recording {name[:80]!r} is gone: see /drives") from error
        key = (name, stat.st_mtime_ns, stat.st_size)
        if key not in self._open:
            self._open[key] = Drive(path)
            if len(self._open) > _OPEN:
                self._open.popitem(last=False)[1].close()
        self._open.move_to_end(key)
        return self._open[key]

    @contextmanager
    def export(self) -> Iterator[None]:
        """The place of one range that is being sent: each keeps a file open, and its index.

        Raises:
            ProblemError: 503, there are too many.
        """
        if self._exports >= _EXPORTS:
            raise busy(f"{self._exports} ranges are being exported", 5)
        self._exports += 1
        try:
            yield
        finally:
            self._exports -= 1

    def marks(self, name: str) -> Marks:
        """What was noted of it.

        Raises:
            ProblemError: 404.
            DataError: the notes cannot be read.
        """
        file = _notes(self.path(name))
        try:
            return Marks.model_validate_json(file.read_bytes())
        except FileNotFoundError:
            return Marks(marks=[])
        except (OSError, ValidationError) as error:
            raise DataError(f"the notes {file.name} cannot be read: move the file away") from error

    def mark(self, name: str, new: NewMark) -> Marks:
        """Note a moment, in a file beside the recording.

        Raises:
            ProblemError: 404, or 422 there are too many.
            DataError: it cannot be written.
        """
        known = self.marks(name).marks
        if len(known) >= _MARKS:
            raise ProblemError(422, f"recording {name} has {len(known)} notes: no more are taken")
        now = utc(datetime.now(timezone.utc).timestamp())
        known.append(Mark(at_s=new.at_s, note=new.note, when=now))
        marks = Marks(marks=sorted(known, key=lambda mark: mark.at_s))
        write_text(_notes(self.path(name)), json.dumps(marks.model_dump(), indent=1))
        return marks

    def close(self) -> None:
        """Let all files go."""
        self.worker.close()
        for drive in self._open.values():
            drive.close()

    def _paths(self) -> dict[str, Path]:
        if self.place is None:
            return {}
        files = self.place.glob(f"*{_SUFFIX}") if self.place.is_dir() else [self.place]
        # What is no text can be neither listed nor asked for.
        return {path.name: path for path in files if path.is_file() and is_text(path.name)}


def utc(seconds: float) -> str:
    """A Unix time as ISO 8601."""
    within = min(max(seconds, 0.0), _YEAR_9999_S)  # what a file system says may be anything
    return datetime.fromtimestamp(within, timezone.utc).isoformat(timespec="milliseconds")


def _notes(path: Path) -> Path:
    return path.with_name(f"{path.name}.notes.json")
