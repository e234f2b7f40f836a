"""One frame and its stream's WELCOME, as a daemon might have sent them."""

from __future__ import annotations

from roadmask.modes import Flag, MessageType, Mode
from roadmask.protocol import MAGIC, MESSAGE_BYTES, FrameHeader, Welcome

FRAME = FrameHeader(
    MAGIC, MessageType.FRAME, MESSAGE_BYTES, 1, 0, int(Flag.REPLAY), 7, 3, 100, 110, 120, 9, 1, 1,
    5000, int(Mode.OK), 250, 2, 0, 1, 2, 3, 64, 32, 64, 0, 24576, 0, 0, 0, 0, 0, 0, 2.0, 2.0, 0.0,
    0.0, 128, 64, 65535, 0, 0, 0, 0, 0, 0, 0,
)  # fmt: skip
WELCOME = Welcome(
    MAGIC, MessageType.WELCOME, MESSAGE_BYTES, 1, 0, 0, 7, 3, 120, 65536, 16384, 4096, 8, 64, 0,
    512, 256, 32, 33_333_333, 50, 200, 250, 0, 0,
)  # fmt: skip
