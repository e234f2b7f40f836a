"""Where frames come from: a camera, a stream, a file, a folder or the synthetic town, by URI.

Every kind is a module; one that is not used is not imported, nor is what it needs.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

from roadmask.arrays import Image
from roadmask.sources.source import (
    EndOfStream,
    FaultCode,
    Frame,
    Picture,
    PictureError,
    Source,
    SourceError,
    SourceKind,
)
from roadmask.sources.uri import STREAM_SCHEMES, SourceUri, parse_uri

__all__ = [
    "EndOfStream",
    "FaultCode",
    "Frame",
    "Image",
    "Picture",
    "PictureError",
    "Source",
    "SourceError",
    "SourceKind",
    "open_source",
]


_log = logging.getLogger(__name__)


def open_source(uri: str, *, live: bool | None = None, latency_ms: float | None = None) -> Source:
    """Open the source that ``uri`` names; ``docs/sources.md`` lists the forms and their options.

    Args:
        uri: what to open.
        live: the pictures are of now, as no network stream or pipeline can prove. None: as the
            URI says, else not asserted.
        latency_ms: what may lie between exposure and arrival, ms. None: as the URI says, else
            what the kind of source knows.

    Raises:
        ConfigError: malformed, of an unknown kind, or with an unknown option.
        CaptureError: missing, busy or unreadable; files are read as far as their first picture.
    """
    parts = parse_uri(uri).asserting(live, latency_ms)
    source = _KINDS[parts.scheme](parts)
    if parts.turn:
        from roadmask.sources.turned import TurnedSource

        source = TurnedSource(source, parts.turn)
    if parts.live and source.kind is not SourceKind.LIVE:
        _log.warning(
            "%s is %s whatever 'live' says: no default subscriber takes its masks",
            source.name,
            {SourceKind.FILE: "a file", SourceKind.SYNTHETIC: "synthetic"}[source.kind],
        )
    return source


def _path(uri: SourceUri) -> Source:
    from roadmask.imaging.reading import IMAGE_SUFFIXES

    path = Path(uri.target)
    if path.is_char_device() or uri.target.startswith("/dev/"):
        return _v4l2(uri)
    if path.is_dir() or path.suffix.lower() in IMAGE_SUFFIXES:
        from roadmask.sources.folder import FolderSource

        return FolderSource(uri)
    from roadmask.sources.opencv import VideoSource

    return VideoSource(uri)


def _town(uri: SourceUri) -> Source:
    from roadmask.sources.town import TownSource

    return TownSource(uri)


def _v4l2(uri: SourceUri) -> Source:
    from roadmask.sources.v4l2 import V4l2Source

    return V4l2Source(uri)


def _picamera2(uri: SourceUri) -> Source:
    from roadmask.sources.picamera2 import Picamera2Source

    return Picamera2Source(uri)


def _stream(uri: SourceUri) -> Source:
    from roadmask.sources.network import StreamSource

    return StreamSource(uri)


_KINDS: dict[str, Callable[[SourceUri], Source]] = {
    "path": _path,
    "v4l2": _v4l2,
    "picamera2": _picamera2,
    "gst": _stream,
    "synthetic": _town,
    **dict.fromkeys(STREAM_SCHEMES, _stream),
}
