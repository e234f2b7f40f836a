"""A folder of images, or one image, as a source."""

from __future__ import annotations

from pathlib import Path

from roadmask.errors import CaptureError, DataError
from roadmask.imaging.reading import IMAGE_SUFFIXES, picture_files, read_image
from roadmask.sources.pace import Pace
from roadmask.sources.source import EndOfStream, Frame, PictureError, Source, SourceKind
from roadmask.sources.uri import SourceUri
from roadmask.system.clock import now_ns

DEFAULT_FPS = 25.0


class FolderSource(Source):
    """The images of a folder in the order of their names, at 25 fps unless told otherwise.

    Options: ``fps``, ``realtime=0``, ``loop=1``.

    Raises:
        CaptureError: no image in the folder, or none that can be decoded.
    """

    kind = SourceKind.FILE

    def __init__(self, uri: SourceUri) -> None:
        options = uri.options
        options.only(("fps", "realtime", "loop"))
        self.uri, self.name = uri.text, uri.name
        self.fps = options.number("fps", DEFAULT_FPS, 0.01, 1000)
        self.realtime = options.switch("realtime", True)
        self._loop = options.switch("loop", False)
        self._pace = Pace(self.fps, self.realtime)
        self._paths = _image_paths(Path(uri.target))
        self._failed = 0  # in a row
        self.size = self._first_size(uri.target)

    def read(self, timeout_s: float) -> Frame | None:
        """The next picture; ``frame_id`` counts the files, those that were passed over too."""
        index = self._pace.next(timeout_s)
        if index is None:
            return None
        if index >= len(self._paths) and not self._loop:
            raise EndOfStream
        captured = now_ns()
        try:
            image = read_image(self._paths[index % len(self._paths)])
        except DataError as error:
            self._failed += 1
            if self._failed >= len(self._paths):
                raise CaptureError(f"folder {self.name}: no image is readable any more") from error
            raise PictureError(str(error)) from error
        self._failed = 0
        return Frame(image, captured, index)

    def describe(self) -> str:
        """Number of images, size of the first, rate."""
        width, height = self.size
        rate = f"{self.fps:g} fps" if self.realtime else "as fast as taken"
        return f"{self.name}: {len(self._paths)} images, first {width}x{height}, {rate}"

    def _first_size(self, given: str) -> tuple[int, int]:
        error: DataError | None = None
        for path in self._paths:
            try:
                height, width = read_image(path).shape[:2]
                return width, height
            except DataError as bad:
                error = error or bad
        raise CaptureError(
            f"source {given}: none of {len(self._paths)} images is readable; {error}"
        )


def _image_paths(target: Path) -> list[Path]:
    if target.is_file():
        return [target]
    try:
        paths = picture_files(target)
    except OSError as error:
        raise CaptureError(f"folder {target} cannot be read: {error.strerror}") from error
    if not paths:
        raise CaptureError(
            f"folder {target} holds no images: expected files ending in {', '.join(IMAGE_SUFFIXES)}"
        )
    return paths
