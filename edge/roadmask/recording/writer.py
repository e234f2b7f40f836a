"""Writes a recording: our own messages as they came, standard ones beside them."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from roadmask.recording.mcap_output import McapOutput
from roadmask.recording.reader import (
    ABOUT,
    FRAME,
    IDENTITY,
    MODE,
    PROFILE,
    STATUS,
    TOTALS,
    VERSION,
    WELCOME,
    mode_message,
)
from roadmask.stream.modes import MessageType, Mode, Reason
from roadmask.stream.protocol import (
    FrameHeader,
    Identity,
    IdentityKind,
    Message,
    Welcome,
)
from roadmask.system.clock import now_ns

LAYOUT = b"""\
A message of roadmask's mask stream, little-endian (docs/protocol.md); its length is the u16 at
byte 6. A FRAME goes on with its planes, without padding: mask, height x width u8; confidence, the
same, if its offset is not 0; preview, height x width x 3 u8 RGB, if its offset is not 0.
"""
TOPICS = (WELCOME, FRAME, STATUS, MODE)


class RecordingFile(McapOutput):
    """A file of ``roadmask record``.

    Masks are left to the container's zstd: of the network's masks of 480x352 it makes 4.7 kB each
    in 0.15 ms, lz4 13 kB in 0.08 ms, OpenCV's PNG 6.9 kB in 0.67 ms (4.4 kB in 16 ms at best).

    Raises:
        ConfigError: mcap is missing, or the file exists or cannot be written.
    """

    def __init__(self, path: str | Path) -> None:
        super().__init__(path, PROFILE)
        self.statuses = 0
        # Once: a step of the wall clock must not reorder what was recorded.
        self._unix_ns = time.time_ns() - now_ns()
        self._told: tuple[Mode, Reason] | None = None
        schema = self._writer.register_schema("roadmask.Message", "roadmask", LAYOUT)
        self._channels = {
            topic: self._writer.register_channel(topic, "roadmask", schema) for topic in TOPICS
        }
        self._writer.add_metadata(
            ABOUT, {"version": VERSION, "unix_ns_minus_boottime_ns": str(self._unix_ns)}
        )

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
        stamps = (log_ns + self._unix_ns, published_ns + self._unix_ns, sequence & 0xFFFFFFFF)
        if isinstance(message, FrameHeader) and self._told != (message.mode, message.reasons):
            self._told = message.mode, message.reasons
            self._put(MODE, stamps, mode_message(data))
        self._put(topic, stamps, data)
        self._file.flush()  # a chunk that is done outlives this process

    def _put(self, topic: str, stamps: tuple[int, int, int], data: bytes) -> None:
        log_time, publish_time, sequence = stamps
        channel = self._channels[topic]
        self._writer.add_message(channel, log_time, data, publish_time, sequence)

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
