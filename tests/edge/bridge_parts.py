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

from stream_parts import process, wait_for

from roadmask.client import Mask, Subscriber
from roadmask.clock import now_ns
from roadmask.modes import Flag, MessageType, Mode, NoMask
from roadmask.protocol import MAGIC, MESSAGE_BYTES, FrameHeader, Welcome

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

# Shifts the clocks by argv[1] ns, and by argv[2] more at each SIGUSR1.
OTHER_CLOCK = """
import signal, sys, time
true_ns, shift = time.clock_gettime_ns, [int(sys.argv[1])]
time.clock_gettime_ns = lambda clock: true_ns(clock) + shift[0]
signal.signal(signal.SIGUSR1, lambda *_: shift.append(shift.pop() + int(sys.argv[2])))
"""
# At argv[3], flags argv[4], each frame argv[5] ms old; pixels are random, seeded by the sequence.
PUBLISHER = (
    OTHER_CLOCK
    + """
import threading
import numpy as np
from roadmask.clock import now_ns
from roadmask.modes import Flag
from roadmask.protocol import Identity
from roadmask.publisher import FrameInfo, Publisher, StreamIdentity
def publish(stop=lambda: False):
    identity = StreamIdentity(Identity("m", bytes(range(32))), labels=Identity("l", b"x" * 32))
    old_ns = int(sys.argv[5]) * 1_000_000
    with Publisher(sys.argv[3], mask_size=(48, 32), max_age_ms=400, identity=identity) as publisher:
        while not stop():
            slot = publisher.begin()
            slot.mask[:] = np.random.default_rng(publisher.sequence + 1).integers(0, 8, (32, 48))
            now = now_ns() - old_ns
            publisher.publish(FrameInfo(
                now, (1280, 720), frame_id=now - shift[0], scale=(2.0, 3.0),
                flags=Flag(int(sys.argv[4])), counts=(1, 2, 3, 4, 5, 6, 7, 8)))
            time.sleep(1 / 60)
"""
)
BRIDGE = OTHER_CLOCK + "from roadmask.cli import main; sys.exit(main(sys.argv[3:]))"
# Both in one process, so that one signal steps the clock of both.
MACHINE = (
    PUBLISHER
    + """
threading.Thread(target=publish, daemon=True).start()
from roadmask.bridge import bridge
bridge(sys.argv[3], "car/front", listen=[sys.argv[6]], stop=threading.Event())
"""
)
FAR_END = """
import sys
from roadmask.clock import now_ns
from roadmask.remote import RemoteSubscriber
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
    script = PUBLISHER + "publish()"
    with process(script, shift_ns, 0, path, int(flags), old_ms) as running:
        yield running


@contextmanager
def bridge(
    path: Path, endpoint: str, *more: str, shift_ns: int = 0
) -> Iterator[subprocess.Popen[str]]:
    arguments = ("bridge", "--socket", path, "--zenoh", KEY, "--listen", endpoint)
    with process(BRIDGE, shift_ns, 0, *arguments, *more) as running:
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
