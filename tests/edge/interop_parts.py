"""Parts that the tests of other people's messages share: a stream with all that can be told."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from roadmask.stream.camera_geometry import CameraGeometry
from roadmask.stream.modes import Flag
from roadmask.stream.protocol import Identity
from roadmask.stream.publish.publisher import FrameInfo, Publisher, RingForm, StreamIdentity
from roadmask.system.clock import now_ns

GEOMETRY = CameraGeometry.pinhole((96, 64), 60.0, 1.4, pitch_deg=3.0)
COLORS = tuple((i, 10 * i, 255 - i) for i in range(8))
VEHICLE = 7


@contextmanager
def daemon(path: Path, flags: Flag = Flag.SYNTHETIC) -> Iterator[threading.Event]:
    """A stream of masks with a vehicle ahead, a preview and a geometry, until the event is set."""
    identity = StreamIdentity(
        labels=Identity("cityscapes-8", bytes(32), COLORS),
        geometry=Identity("front", GEOMETRY.digest, (), GEOMETRY.body),
    )
    ended = threading.Event()
    form = RingForm(preview_size=(48, 32))

    def publish() -> None:
        with Publisher(path, mask_size=(96, 64), identity=identity, form=form) as publisher:
            while not ended.wait(0.02):
                slot = publisher.begin()
                slot.mask[:32], slot.mask[32:] = 5, 1
                slot.mask[20:50, 44:52] = VEHICLE
                assert slot.preview is not None
                slot.preview[:] = 90
                publisher.publish(FrameInfo(now_ns(), (96, 64), flags=flags))

    thread = threading.Thread(target=publish)
    thread.start()
    try:
        yield ended
    finally:
        ended.set()
        thread.join()
