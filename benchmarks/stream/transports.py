"""Both ends of each transport under one shape, so that the loops around them are the same.

A mask is ready when its pixels are written where the transport wants them; its latency ends when
the reader has a private copy that it has checked. ZeroMQ is set up at its best: one message, the
pixels written straight into it, nothing copied by the binding, and a high-water mark of 2.
"""

from __future__ import annotations

import struct
from collections import deque
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from roadmask.errors import ConfigError
from roadmask.stream.publish.publisher import FrameInfo, Publisher
from roadmask.stream.subscribe.subscriber import Subscriber
from roadmask.system.clock import now_ns

TRANSPORTS = ("roadmask", "zeromq")
_HEADER = struct.Struct("<QQQ")  # sequence, ready time, frame id; the rest of 256 bytes is 0
_HEADER_BYTES = 256
_BUFFERS = 8  # as many as the ring has slots
_MAX_AGE_NS = 250_000_000


class Sender(Protocol):
    """Publishes masks; ``begin`` gives the pixels to write, ``send`` hands them out."""

    def __enter__(self) -> Sender: ...
    def __exit__(self, *_: object) -> None: ...
    def begin(self) -> npt.NDArray[np.uint8]:
        """``(H, W) uint8`` to write the next mask into."""

    def send(self, ready_ns: int, frame_id: int) -> None:
        """Publish what was written; ``ready_ns`` is when it was complete."""


class RoadmaskSender:
    """The product's publisher."""

    def __init__(self, path: Path, size: tuple[int, int], period_ns: int) -> None:
        self._publisher = Publisher(path, mask_size=size, frame_period_ns=period_ns, max_age_ms=250)

    def __enter__(self) -> RoadmaskSender:
        return self

    def __exit__(self, *_: object) -> None:
        self._publisher.close()

    def begin(self) -> npt.NDArray[np.uint8]:
        """See ``Sender``."""
        return self._publisher.begin().mask

    def send(self, ready_ns: int, frame_id: int) -> None:
        """See ``Sender``."""
        self._publisher.publish(FrameInfo(ready_ns, (1280, 720), frame_id=frame_id))


class ZeromqSender:
    """A PUB socket over ipc with a high-water mark of 2."""

    def __init__(self, path: Path, size: tuple[int, int], period_ns: int) -> None:
        self._zmq = _zmq()
        self._context = self._zmq.Context()
        self._socket = self._context.socket(self._zmq.PUB)
        self._socket.setsockopt(self._zmq.SNDHWM, 2)
        self._socket.setsockopt(self._zmq.LINGER, 0)
        self._socket.bind(f"ipc://{path}")
        width, height = size
        self._buffers = deque(
            np.zeros(_HEADER_BYTES + width * height, np.uint8) for _ in range(_BUFFERS)
        )
        self._shape = (height, width)
        self._sequence = 0

    def __enter__(self) -> ZeromqSender:
        return self

    def __exit__(self, *_: object) -> None:
        self._context.destroy(linger=0)

    def begin(self) -> npt.NDArray[np.uint8]:
        """See ``Sender``."""
        self._buffers.rotate(1)
        return self._buffers[0][_HEADER_BYTES:].reshape(self._shape)

    def send(self, ready_ns: int, frame_id: int) -> None:
        """See ``Sender``."""
        self._sequence += 1
        _HEADER.pack_into(self._buffers[0].data, 0, self._sequence, ready_ns, frame_id)
        self._socket.send(self._buffers[0], copy=False)


class NullSender:
    """Writes the pixels and sends nothing: what the loop costs by itself."""

    def __init__(self, path: Path, size: tuple[int, int], period_ns: int) -> None:
        width, height = size
        self._buffers = deque(np.zeros((height, width), np.uint8) for _ in range(_BUFFERS))

    def __enter__(self) -> NullSender:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def begin(self) -> npt.NDArray[np.uint8]:
        """See ``Sender``."""
        self._buffers.rotate(1)
        return self._buffers[0]

    def send(self, ready_ns: int, frame_id: int) -> None:
        """See ``Sender``."""


class RoadmaskReceiver:
    """The product's subscriber."""

    def __init__(self, path: Path) -> None:
        self._subscriber = Subscriber(path)

    def __enter__(self) -> RoadmaskReceiver:
        return self

    def __exit__(self, *_: object) -> None:
        self._subscriber.close()

    def receive(self) -> tuple[int, int, npt.NDArray[np.uint8]] | None:
        """Ready time, frame id and pixels of the next mask; None after a second without."""
        mask = self._subscriber.receive(timeout_s=1.0)
        return None if mask is None else (mask.capture_timestamp_ns, mask.frame_id, mask.pixels)


class ZeromqReceiver:
    """A SUB socket with a high-water mark of 2; checks sequence, size and age as S4 would."""

    def __init__(self, path: Path) -> None:
        self._zmq = _zmq()
        self._context = self._zmq.Context()
        self._socket = self._context.socket(self._zmq.SUB)
        self._socket.setsockopt(self._zmq.RCVHWM, 2)
        self._socket.setsockopt(self._zmq.RCVTIMEO, 1000)
        self._socket.setsockopt(self._zmq.SUBSCRIBE, b"")
        self._socket.connect(f"ipc://{path}")
        self._sequence = 0

    def __enter__(self) -> ZeromqReceiver:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._context.destroy(linger=0)

    def receive(self) -> tuple[int, int, npt.NDArray[np.uint8]] | None:
        """See ``RoadmaskReceiver``."""
        while True:
            try:
                # One private buffer, filled by ZeroMQ; a second copy would add to its time.
                message = self._socket.recv(copy=False)
            except self._zmq.Again:
                return None
            data = np.frombuffer(message, np.uint8)
            if data.size <= _HEADER_BYTES:
                continue
            sequence, ready_ns, frame_id = _HEADER.unpack_from(data.data)
            fresh = 0 <= now_ns() - ready_ns <= _MAX_AGE_NS
            if sequence > self._sequence and fresh:
                self._sequence = sequence
                return ready_ns, frame_id, data[_HEADER_BYTES:]


SENDERS: dict[str, type[RoadmaskSender | ZeromqSender | NullSender]] = {
    "roadmask": RoadmaskSender,
    "zeromq": ZeromqSender,
    "null": NullSender,
}
RECEIVERS: dict[str, type[RoadmaskReceiver | ZeromqReceiver]] = {
    "roadmask": RoadmaskReceiver,
    "zeromq": ZeromqReceiver,
}


def _zmq() -> Any:
    try:
        import zmq
    except ImportError as error:
        raise ConfigError(
            "ZeroMQ is not installed: pip install --group benchmarks to compare with it"
        ) from error
    return zmq
