"""The errors of roadmask; every command turns one into a line on standard error and exit code 2.

RoadmaskError
├── ConfigError     an argument, a configuration file, a label set
├── DataError       a data set, an image, a mask
├── ModelError      a model file that is missing, corrupt or of another shape
├── CaptureError    a camera, a video, a folder that cannot be read
├── PublishError    a socket path in use or not writable
└── ProtocolError   what a peer sent on the stream; ``check`` names the test that failed

A message says what was given, what was expected and what to do. A time-out is a value
(``None``), not an error.
"""

from __future__ import annotations

import enum


class RoadmaskError(Exception):
    """Base of every error that a user can mend."""


class ConfigError(RoadmaskError):
    """An argument, configuration file or label set that cannot be used."""


class DataError(RoadmaskError):
    """A data set, image or mask that cannot be used; the message names the file."""


class ModelError(RoadmaskError):
    """A model file that is missing, corrupt or not of a supported form."""


class CaptureError(RoadmaskError):
    """A frame source that cannot be opened or read."""


class PublishError(RoadmaskError):
    """A socket path that is in use or cannot be written."""


class Check(str, enum.Enum):
    """The check that a message, a ring or an answer of the bridge failed; it is its name too.

    ``edge/cpp/include/roadmask/protocol.hpp`` has the same, but those of the bridge, which only
    Python speaks.
    """

    SIZE = "size"
    MAGIC = "magic"
    VERSION = "version"
    WELCOME = "welcome"
    DESCRIPTOR = "descriptor"
    SEALS = "seals"
    RING_SIZE = "ring_size"
    RING_LAYOUT = "ring_layout"
    LIMITS = "limits"
    CLOCK = "clock"
    STREAM_ID = "stream_id"
    SEQUENCE = "sequence"
    SLOT = "slot"
    MASK_SIZE = "mask_size"
    MASK_BOUNDS = "mask_bounds"
    CONFIDENCE_BOUNDS = "confidence_bounds"
    PREVIEW_BOUNDS = "preview_bounds"
    TRANSFORM = "transform"
    CAMERA_SIZE = "camera_size"
    IDENTITY = "identity"
    SOCKET = "socket"
    CRC = "crc"
    CATEGORY = "category"
    # Of the bridge:
    TYPE = "type"
    ABOUT = "about"
    PNG = "png"

    __str__ = str.__str__


class ProtocolError(RoadmaskError):
    """A message or ring that breaks the protocol.

    Args:
        check: the check that failed, for example ``Check.MAGIC``, which equals ``"magic"``.
        message: what was seen and what was expected.
    """

    def __init__(self, check: Check, message: str) -> None:
        super().__init__(f"{check}: {message}")
        self.check = check


def first_line(error: BaseException, longest: int = 160) -> str:
    """What a foreign library's error says, for a sentence of ours; its type if it says nothing."""
    lines = (line.strip() for line in str(error).splitlines())
    return next(filter(None, lines), type(error).__name__)[:longest]
