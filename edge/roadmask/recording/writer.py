"""Writes a recording: one MCAP file under a temporary name until it is whole."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

from roadmask import __version__
from roadmask.errors import ConfigError
from roadmask.recording.mcap_file import require_mcap
from roadmask.recording.reader import (
    ABOUT,
    FRAME,
    IDENTITY,
    PROFILE,
    STATUS,
    TOTALS,
    VERSION,
    WELCOME,
)
from roadmask.stream.modes import MessageType
from roadmask.stream.protocol import Identity, IdentityKind, Message, Welcome
from roadmask.system.clock import now_ns
from roadmask.system.files import followed

LAYOUT = b"""\
A message of roadmask's mask stream, little-endian (docs/protocol.md); its length is the u16 at
byte 6. A FRAME goes on with its planes, without padding: mask, height x width u8; confidence, the
same, if its offset is not 0; preview, height x width x 3 u8 RGB, if its offset is not 0.
"""


class RecordingFile:
    """``path`` + ``.partial``, renamed to ``path`` when the block ends without an error.

    An error leaves the partial file, unless no frame came: whole but for the last megabyte of
    pixels, which is the chunk that was being filled.

    Masks are left to the container's zstd: of the network's masks of 480x352 it makes 4.7 kB each
    in 0.15 ms, lz4 13 kB in 0.08 ms, OpenCV's PNG 6.9 kB in 0.67 ms (4.4 kB in 16 ms at best).

    Raises:
        ConfigError: mcap is missing, or the file exists or cannot be written.
    """

    def __init__(self, path: str | Path) -> None:
        require_mcap()
        from mcap.writer import Writer

        self.path = followed(path)
        self.partial = self.path.with_name(f"{self.path.name}.partial")
        if self.path.exists():
            raise ConfigError(f"--out {path} exists: remove it, or give another name")
        try:
            self._file = self.partial.open("xb")
        except FileExistsError as error:
            raise ConfigError(
                f"{self.partial} exists: another recorder writes it, or one was killed and 'mcap "
                f"recover' of the MCAP tools saves its frames; move it, or give another --out"
            ) from error
        except OSError as error:
            raise ConfigError(
                f"--out {path}: {error.strerror}; give a file in a writable folder"
            ) from error
        self.frames = self.statuses = self.bytes = 0
        # Once: a step of the wall clock must not reorder what was recorded.
        self._unix_ns = time.time_ns() - now_ns()
        self._writer = Writer(self._file)
        self._writer.start(PROFILE, f"roadmask {__version__}")
        schema = self._writer.register_schema("roadmask.Message", "roadmask", LAYOUT)
        self._channels = {
            topic: self._writer.register_channel(topic, "roadmask", schema)
            for topic in (WELCOME, FRAME, STATUS)
        }
        self._writer.add_metadata(
            ABOUT, {"version": VERSION, "unix_ns_minus_boottime_ns": str(self._unix_ns)}
        )

    def __enter__(self) -> RecordingFile:
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

    def add(self, message: Message, data: bytes) -> None:
        """One message with its planes.

        Raises:
            OSError: let it leave the block, which gives it a name.
        """
        sequence, published_ns = message.sequence, message.sent_ns
        log_ns = published_ns
        if isinstance(message, Welcome):
            topic = WELCOME
        elif message.type == MessageType.FRAME:
            topic, published_ns = FRAME, message.publish_ns
            # A camera's broken stamp must not bend the file's index.
            sound = 0 < message.capture_ns <= published_ns
            log_ns = message.capture_ns if sound else published_ns
            self.frames += 1
        else:
            topic = STATUS
            self.statuses += 1
        self._writer.add_message(
            self._channels[topic],
            log_time=log_ns + self._unix_ns,
            publish_time=published_ns + self._unix_ns,
            sequence=sequence & 0xFFFFFFFF,
            data=data,
        )
        self._file.flush()  # a chunk that is done outlives this process

    def add_standard(self, topic: str, message: Any, log_ns: int) -> None:
        """A message of a foreign schema, such as Foxglove's.

        Args:
            topic: its topic.
            message: it knows its ``get_schema`` and how to ``encode`` itself.
            log_ns: CLOCK_REALTIME.
        """
        if topic not in self._channels:
            schema = message.get_schema()
            known = self._writer.register_schema(schema.name, schema.encoding, schema.data)
            self._channels[topic] = self._writer.register_channel(topic, "protobuf", known)
        self._writer.add_message(
            self._channels[topic], log_time=log_ns, publish_time=log_ns, data=message.encode()
        )

    def unix_ns(self, boottime_ns: int) -> int:
        """A stamp of the stream as the file's times are."""
        return boottime_ns + self._unix_ns

    def add_identity(
        self, stream_id: int, index: int, kind: IdentityKind, identity: Identity
    ) -> None:
        """What frames of ``stream_id`` mean by ``index``."""
        self._writer.add_metadata(IDENTITY, identity_entry(stream_id, index, kind, identity))

    def add_totals(self, totals: dict[str, int]) -> None:
        """What was counted, at the end."""
        self._writer.add_metadata(TOTALS, {name: str(value) for name, value in totals.items()})

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
            f"--out {self.path}: {error.strerror} after {self.frames} frames: make room{kept}, "
            "where 'mcap recover' finds them"
        )


def identity_entry(
    stream_id: int, index: int, kind: IdentityKind, identity: Identity
) -> dict[str, str]:
    """The metadata of one identity."""
    return {
        "stream_id": f"{stream_id:016x}",
        "index": str(index),
        "kind": kind.name,
        "name": identity.name,
        "sha256": identity.digest.hex(),
        "colors_rgb": " ".join(bytes(rgb).hex() for rgb in identity.colors_rgb),
        "body": identity.body.hex(),
    }
