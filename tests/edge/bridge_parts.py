"""Parts that the tests of the bridge share: one frame, another machine, the checks at the far end.

The other machine's clock is shifted where it is asked, so that its daemon and its bridge agree.
A frame's camera id is its true capture time: no age that the far end computes may be less.
"""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from clock_parts import ShiftedClock
from stream_parts import process, wait_for

from roadmask.stream.modes import Flag, MessageType, Mode, NoMask
from roadmask.stream.protocol import MAGIC, MESSAGE_BYTES, FrameHeader, Welcome
from roadmask.stream.subscribe.subscriber import Mask, Subscriber
from roadmask.system.clock import now_ns

# As a daemon might have sent them.
FRAME = FrameHeader(
    MAGIC, MessageType.FRAME, MESSAGE_BYTES, 1, 0, int(Flag.REPLAY), 7, 3, 100, 110, 120, 9, 1, 1,
    5000, int(Mode.OK), 250, 2, 0, 1, 2, 3, 64, 32, 64, 0, 24576, 0, 0, 0, 0, 0, 0, 2.0, 2.0, 0.0,
    0.0, 128, 64, 65535, 0, 0, 0, 0, 0, 0, 0,
)  # fmt: skip
WELCOME = Welcome(
    MAGIC, MessageType.WELCOME, MESSAGE_BYTES, 1, 0, 0, 7, 3, 120, 65536, 16384, 4096, 8, 64, 0,
    512, 256, 32, 33_333_333, 50, 200, 250, 0, 0,
)  # fmt: skip

KEY = "car/front"
MS = 1_000_000

# At argv[1], flags argv[2], each frame argv[3] ms old; its id is its true time of capture, whatever
# the clock says; pixels are random, seeded by the sequence.
PUBLISHER = """
import os, sys, threading, time
import numpy as np
from roadmask.system.clock import now_ns
from roadmask.stream.modes import Flag
from roadmask.stream.protocol import Identity
from roadmask.stream.publish.publisher import FrameInfo, Publisher, StreamIdentity
def true_ns():
    shifted = "SHIFTED_CLOCK" in os.environ
    return time.clock_gettime_ns(1000 if shifted else time.CLOCK_BOOTTIME)
def publish(stop=lambda: False):
    identity = StreamIdentity(Identity("m", bytes(range(32))), labels=Identity("l", b"x" * 32))
    old_ns = int(sys.argv[3]) * 1_000_000
    with Publisher(sys.argv[1], mask_size=(48, 32), max_age_ms=400, identity=identity) as publisher:
        while not stop():
            slot = publisher.begin()
            slot.mask[:] = np.random.default_rng(publisher.sequence + 1).integers(0, 8, (32, 48))
            now = now_ns() - old_ns
            publisher.publish(FrameInfo(
                now, (1280, 720), frame_id=true_ns() - old_ns, scale=(2.0, 3.0),
                flags=Flag(int(sys.argv[2])), counts=(1, 2, 3, 4, 5, 6, 7, 8)))
            time.sleep(1 / 60)
"""
BRIDGE = "import sys; from roadmask.cli.main import main; sys.exit(main(sys.argv[1:]))"
# Both in one process, so that the clock of both is stepped at once.
MACHINE = (
    PUBLISHER
    + """
threading.Thread(target=publish, daemon=True).start()
from roadmask.bridge.relay import bridge
bridge(sys.argv[1], "car/front", listen=[sys.argv[4]], stop=threading.Event())
"""
)
FAR_END = """
import sys
from roadmask.system.clock import now_ns
from roadmask.bridge.subscriber import RemoteSubscriber
with RemoteSubscriber("car/front", connect=[sys.argv[1]]) as far:
    last = 0
    while True:
        before = now_ns()
        mask = far.latest()
        if mask is not None and mask.sequence != last:
            last = mask.sequence
            print(before, mask.frame_id, flush=True)
"""


def free_endpoint() -> str:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"tcp/127.0.0.1:{free.getsockname()[1]}"


@contextmanager
def publisher(
    path: Path, flags: Flag = Flag.NONE, old_ms: int = 0, shift_ns: int = 0
) -> Iterator[subprocess.Popen[str]]:
    clock = ShiftedClock(path.parent, shift_ns) if shift_ns else None
    with process(PUBLISHER + "publish()", path, int(flags), old_ms, clock=clock) as running:
        yield running


@contextmanager
def bridge(
    path: Path, endpoint: str, *more: str, shift_ns: int = 0
) -> Iterator[subprocess.Popen[str]]:
    arguments = ("bridge", "--socket", path, "--zenoh", KEY, "--listen", endpoint)
    clock = ShiftedClock(path.parent, shift_ns) if shift_ns else None
    with process(BRIDGE, *arguments, *more, clock=clock) as running:
        yield running


def checked(far: Subscriber) -> Mask | None:
    """The newest mask, if there is one; never one that is older than it may be."""
    before = now_ns()
    mask = far.latest()
    if mask is not None:
        assert before - mask.frame_id <= 250 * MS
        assert mask.capture_timestamp_ns <= mask.frame_id
    return mask


def refused(far: Subscriber, reason: NoMask) -> Any:
    return wait_for(lambda: checked(far) is None and far.reason is reason, reason.name)
