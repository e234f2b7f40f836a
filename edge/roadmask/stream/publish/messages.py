"""The publisher's messages that are the same all through a stream, but for a few fields."""

from __future__ import annotations

from dataclasses import dataclass

from roadmask.stream import ring
from roadmask.stream.modes import Flag, MessageType, Mode, Reason
from roadmask.stream.protocol import (
    IDENTITY_BYTES,
    MAGIC,
    MAJOR,
    MESSAGE_BYTES,
    MINOR,
    NO_IDENTITY,
    FrameHeader,
    Welcome,
    encode,
    turn_into_status,
)
from roadmask.stream.publish.frame_info import plane_fields
from roadmask.system.clock import now_ns

HEARTBEAT_MS = 50
SILENCE_MS = 200
_FRAME = (MAGIC, int(MessageType.FRAME), MESSAGE_BYTES, MAJOR, MINOR)


@dataclass(frozen=True)
class StreamMessages:
    """Of one stream: its ring, its number, its terms."""

    layout: ring.RingLayout
    stream_id: int
    max_age_ms: int
    frame_period_ns: int

    def frame(self, slot: int) -> bytes:
        """What is the same in every FRAME of a slot; all else is 0."""
        layout = self.layout
        nothing = FrameHeader._make((*_FRAME, *(0,) * (len(FrameHeader._fields) - len(_FRAME))))
        return encode(
            nothing._replace(
                flag_bits=(Flag.CONFIDENCE if layout.confidence else 0)
                | (Flag.PREVIEW if layout.preview_size else 0),
                stream_id=self.stream_id,
                max_age_ms=self.max_age_ms,
                slot=slot,
                model=NO_IDENTITY,
                calibration=NO_IDENTITY,
                camera=NO_IDENTITY,
                labels=NO_IDENTITY,
                **plane_fields(layout, slot),
            )
        )

    def welcome(self, sequence: int) -> bytes:
        """The WELCOME now, for whoever gets the frames after ``sequence``."""
        layout = self.layout
        return encode(
            Welcome(
                MAGIC,
                MessageType.WELCOME,
                MESSAGE_BYTES,
                MAJOR,
                MINOR,
                0,
                self.stream_id,
                sequence,
                now_ns(),
                layout.ring_bytes,
                layout.slots_offset,
                layout.slot_bytes,
                layout.slots,
                ring.GENERATION_STRIDE,
                0,
                layout.identity_offset,
                IDENTITY_BYTES,
                ring.IDENTITY_COUNT,
                self.frame_period_ns,
                HEARTBEAT_MS,
                SILENCE_MS,
                self.max_age_ms,
                0,
                ring.time_namespace(),
            )
        )


def refusal(last_frame: bytes | bytearray, reason: Reason) -> bytes:
    """The BYE for who is not let in."""
    message = bytearray(last_frame)
    turn_into_status(message, MessageType.BYE, now_ns(), Mode.FAULT | reason)
    return bytes(message)
