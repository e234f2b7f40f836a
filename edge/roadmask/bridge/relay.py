"""``roadmask bridge``: masks of the local stream to other machines, over Eclipse Zenoh.

A process of its own and an ordinary subscriber, so that whatever the network does cannot reach
the daemon. It relays what the daemon said as it was said; ``remote`` judges it at the far end.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Sequence
from typing import Any

from roadmask.bridge import wire
from roadmask.bridge.clock_offset import SuspendWatch
from roadmask.bridge.zenoh_session import DEFAULT_ENDPOINT, check_key, load_zenoh, open_session
from roadmask.stream.checks import MAX_LIMIT_MS
from roadmask.stream.modes import MessageType, NoMask
from roadmask.stream.protocol import IDENTITY_BYTES, NO_IDENTITY, FrameHeader, frame_indices
from roadmask.stream.subscribe.mask import MappedRing
from roadmask.stream.subscribe.policy import TAKE_EVERYTHING
from roadmask.stream.subscribe.subscriber import Mask, Subscriber
from roadmask.system.clock import now_ns
from roadmask.system.percentiles import percentiles

_LOOK_S = 0.05  # the daemon's heartbeat: no STATUS is older than this when it is relayed


class Relay:
    """The sending side of a bridge: three keys below ``key``, and what was sent.

    KEY/mask has a PNG a frame, KEY/status the daemon's STATUS or why there is no stream, and
    KEY/about answers with this machine's clock, the WELCOME and the identities.
    Messages are dropped, never waited for, when the network is slow: the next one is newer.
    """

    def __init__(self, session: Any, key: str, max_rate_hz: float = 0.0) -> None:
        zenoh = load_zenoh()
        self._period_ns = int(1e9 / max_rate_hz) if max_rate_hz else 0
        self._due_ns = 0
        self._epoch = secrets.randbits(64) | 1
        self._suspend = SuspendWatch()
        self._ring: MappedRing | None = None
        self._identity_count = 0
        self._about = b""
        self._sent_ns = 0  # the daemon's stamp of the last message relayed
        self.frames = self.skipped = self.messages = 0
        self.bytes: list[float] = []
        self.encode_ms: list[float] = []
        put = {"congestion_control": zenoh.CongestionControl.DROP, "express": True}
        self._mask = session.declare_publisher(
            f"{key}/{wire.MASK}", encoding=zenoh.Encoding.IMAGE_PNG, **put
        )
        self._status = session.declare_publisher(f"{key}/{wire.STATUS}", **put)
        self._about_key = f"{key}/{wire.ABOUT}"
        # Directly in Zenoh's thread: a queue before the clock is read would blur the measurement.
        answer = zenoh.handlers.Callback(self._answer, indirect=False)
        self._queryable = session.declare_queryable(self._about_key, answer)

    def relay(self, subscriber: Subscriber, mask: Mask | None) -> None:
        """Send what ``subscriber`` just learned: a frame, a STATUS, or why there is neither."""
        self._check_clock()
        status, ring = subscriber.status, subscriber.ring
        if ring is None or status is None or subscriber.reason is NoMask.SILENT:
            if ring is None:
                self._ring, self._about = None, b""
            self.note(subscriber.reason, subscriber.reason_text)
            return
        self._describe(ring, status)
        if mask is not None and self._is_due():
            self._frame(mask)
        elif status.sent_ns > self._sent_ns:
            self._put(self._status, b"", status, MessageType.STATUS)

    def note(self, reason: NoMask, text: str) -> None:
        """Say that there is no stream."""
        note = wire.Note(self._epoch, now_ns(), reason, text)
        attachment, payload = wire.encode_note(note)
        self._status.put(payload, attachment=attachment)

    def _frame(self, mask: Mask) -> None:
        start = time.perf_counter()
        data = wire.encode_mask(mask.pixels)
        self.encode_ms.append((time.perf_counter() - start) * 1e3)
        self.bytes.append(float(len(data)))
        self.frames += 1
        self._put(self._mask, data, mask.header, MessageType.FRAME)

    def _put(self, publisher: Any, data: bytes, header: FrameHeader, kind: MessageType) -> None:
        self._sent_ns = header.sent_ns
        self.messages += 1
        publisher.put(data, attachment=wire.encode_header(header, self._epoch, kind))

    def _is_due(self) -> bool:
        now = now_ns()
        if now < self._due_ns:
            self.skipped += 1
            return False
        # Kept in step with the period, unless the stream itself is slower.
        self._due_ns = max(self._due_ns + self._period_ns, now)
        return True

    def _describe(self, ring: MappedRing, header: FrameHeader) -> None:
        used = frame_indices(header)
        most = max((index for index in used if index != NO_IDENTITY), default=-1)
        if ring is not self._ring or most >= self._identity_count:
            identities = ring.identities()
            self._identity_count = len(identities) // IDENTITY_BYTES
            self._ring, self._about = ring, wire.about_stream(ring.welcome, identities)

    def _check_clock(self) -> None:
        if self._suspend.slept():  # far ends measure anew before they take another mask
            self._epoch = secrets.randbits(64) | 1

    def _answer(self, query: Any) -> None:
        self._check_clock()
        query.reply(
            self._about_key, wire.encode_about(self._epoch, now_ns(), self._about), express=True
        )


def bridge(
    socket: str,
    key: str,
    *,
    connect: Sequence[str] = (),
    listen: Sequence[str] = (),
    scout: bool = False,
    max_rate_hz: float = 0.0,
    stop: threading.Event,
) -> dict[str, Any]:
    """Relay the stream at ``socket`` under ``key`` until ``stop`` is set.

    Frames that are not live are relayed with their flags; the far end refuses them.

    Args:
        socket: path of the daemon's socket. It need not exist yet.
        key: Zenoh key of the stream, without wildcards.
        connect, listen: Zenoh endpoints; neither: listen at this machine's loopback alone.
        scout: let Zenoh look for peers by multicast and gossip.
        max_rate_hz: most frames a second, 0 = every one; the newest is sent.
        stop: set it to end.

    Returns:
        The JSON keys of ``roadmask bridge``.

    Raises:
        ConfigError: no Zenoh, or a key or endpoint that cannot be used.
    """
    check_key(key)
    listen = listen or (() if connect else (DEFAULT_ENDPOINT,))
    start, cpu = time.monotonic(), time.process_time()
    with (
        open_session(connect, listen, scout) as session,
        Subscriber(socket, max_age_ms=MAX_LIMIT_MS, **TAKE_EVERYTHING) as subscriber,
    ):
        relay = Relay(session, key, max_rate_hz)
        while not stop.is_set():
            relay.relay(subscriber, subscriber.receive(timeout_s=_LOOK_S))
        relay.note(NoMask.CLOSED, "the bridge was stopped")
        dropped = subscriber.dropped
    seconds = time.monotonic() - start
    return {
        "frames": relay.frames,
        "skipped": relay.skipped,
        "dropped": dropped,
        "messages": relay.messages,
        "bytes_per_frame": percentiles(relay.bytes),
        "encode_ms": percentiles(relay.encode_ms),
        "seconds": round(seconds, 3),
        "cpu_percent": round(100 * (time.process_time() - cpu) / seconds, 2),
    }
