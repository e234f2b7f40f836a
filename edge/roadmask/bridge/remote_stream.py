"""What arrives from a bridge: the newest of each kind, with its times moved into our clock."""

from __future__ import annotations

from typing import Any

import numpy as np

from roadmask._native import Policy, process_id
from roadmask.arrays import U8
from roadmask.bridge import wire
from roadmask.bridge.clock_offset import ClockOffset, SuspendWatch
from roadmask.bridge.inbox import RemoteInbox
from roadmask.errors import Check, ProtocolError
from roadmask.stream.checks import check_frame, check_message, check_welcome
from roadmask.stream.modes import MessageType, NoMask
from roadmask.stream.protocol import (
    IDENTITY_BYTES,
    NO_IDENTITY,
    UNKNOWN_NS,
    FrameHeader,
    encode,
    frame_indices,
)
from roadmask.stream.subscribe.mask import MappedRing, Planes
from roadmask.stream.subscribe.transport import Stream, silence_limit_ns
from roadmask.system.clock import now_ns

_ASK_NS, _ASK_SOON_NS = 500_000_000, 50_000_000
_GONE_NS = 1_000_000_000


class RemoteRing(MappedRing):
    """WELCOME and identities as the bridge told them, and the newest frame's pixels."""

    def __init__(self, about: wire.About) -> None:
        assert about.welcome is not None
        check_welcome(about.welcome, about.welcome.ring_bytes)
        table = np.zeros(about.welcome.identity_count * IDENTITY_BYTES, np.uint8)
        known = np.frombuffer(about.identities, np.uint8)[: table.size]
        table[: known.size] = known
        self.identity_known = known.size // IDENTITY_BYTES
        welcome = about.welcome._replace(identity_offset=0, identity_stride=IDENTITY_BYTES)
        super().__init__(table, welcome)


class RemoteStream(Stream):
    """State of a bridged stream: what came last, and what is known of the other clock.

    All of it happens in the reader's thread, when it calls ``pump``.
    """

    def __init__(self, key: str, allowance_ns: int) -> None:
        super().__init__()  # the times of its messages are moved into this machine's clock
        self.inbox = RemoteInbox(key)
        self.allowance_ns = allowance_ns
        self._ask_ns = 0  # when to ask next
        self._suspend = SuspendWatch()
        self._offset = ClockOffset()
        self._about_ring: RemoteRing | None = None
        self._about_epoch = 0
        self.owner = process_id()
        self._forget()

    def _forget(self) -> None:
        self._epoch = 0  # of the messages below
        self._heard_ns = 0
        self._note: wire.Note | None = None
        self._sent_ns = 0  # newest stamp of the other machine
        self._raw_frame: FrameHeader | None = None
        self._raw_status: FrameHeader | None = None
        self._pixels: U8 | None = None

    def fileno(self) -> int:
        """Readable when a sample or an answer came."""
        return self.inbox.fileno()

    def wait_ns(self) -> int:
        """Time until the bridge is asked again."""
        return max(0, self._ask_ns - now_ns())

    def close(self) -> None:
        """Leave the network."""
        with self.lock:
            self.ended = True
            self.inbox.close()
            self._stand(NoMask.CLOSED, "closed by this process")

    def _leave_to_parent(self) -> None:
        self._stand(NoMask.FORKED, "open one here")  # the session's threads are not here

    def take(self, frame: bytes, policy: Policy, limit_ns: int, preview: bool) -> Planes | NoMask:
        """A copy of the mask; confidence and preview are not sent."""
        if self._pixels is None:
            return NoMask.NO_FRAME
        try:
            planes = Planes(self._pixels.copy(), None, None)
        except MemoryError:
            return NoMask.NO_MEMORY
        return self.judge(policy, limit_ns) or planes

    def uncertainty_ms(self, now: int) -> float | None:
        """Width of the interval that holds the clocks' offset."""
        bounds = self._offset.bounds(now)
        return None if bounds is None else (bounds[1] - bounds[0]) / 1e6

    def pump(self, wait_ns: int = 0) -> None:
        """Take in what has come, ask the bridge when it is time, say where the stream stands."""
        if self.ended:
            return
        self.await_news(wait_ns)
        with self.lock:
            if not self.ended:
                self._advance()

    def _advance(self) -> None:
        samples, answers = self.inbox.take()
        if self._suspend.slept():
            self._offset = ClockOffset()
            self._forget()
        try:
            for answer in answers:
                self._take_answer(*answer)
            # In this order: the STATUS may be later than the frame, and then hides no frame.
            for kind in (wire.MASK, wire.STATUS):
                if kind in samples:
                    self._take_sample(kind, *samples[kind])
            self._settle(now_ns())
        except ProtocolError as error:
            self.error = error
            self._forget()
            self._stand(NoMask.MALFORMED, str(error))
        if (now := now_ns()) >= self._ask_ns:
            self._ask_ns = now + (_ASK_SOON_NS if self.ring is None else _ASK_NS)
            self.inbox.ask()

    def _take_answer(self, asked_ns: int, data: bytes, answered_ns: int) -> None:
        about = wire.decode_about(data)
        if about.epoch != self._about_epoch:
            if self._epoch and about.epoch != self._epoch:
                return  # of a bridge that is gone, or of a second one
            self._offset, self._about_epoch = ClockOffset(), about.epoch
        if not self._offset.add(asked_ns, about.clock_ns, answered_ns):
            self._forget()  # a clock was stepped: no stamp of before means anything now
        self._about_ring = RemoteRing(about) if about.welcome is not None else None

    def _take_sample(self, kind: str, attachment: bytes, payload: Any) -> None:
        if kind == wire.MASK:
            epoch, header = wire.decode_header(attachment)
            if header.type != MessageType.FRAME:
                raise ProtocolError(Check.TYPE, f"message {header.type} on the key of masks")
            if self._is_newer(epoch, header.sent_ns):
                size = header.mask_width, header.mask_height
                self._pixels = wire.decode_mask(payload.to_bytes(), size)
                self._raw_frame = self._raw_status = header
            return
        message = wire.decode_status(attachment, payload.to_bytes()[: wire.MAX_TEXT])
        if isinstance(message, wire.Note):
            if self._is_newer(message.epoch, message.sent_ns):
                self._note, self._raw_frame, self._raw_status = message, None, None
        elif self._is_newer(message[0], message[1].sent_ns):
            self._raw_status = message[1]

    def _is_newer(self, epoch: int, sent_ns: int) -> bool:
        if epoch != self._epoch:
            self._forget()
        elif sent_ns <= self._sent_ns:
            return False
        self._epoch, self._sent_ns, self._heard_ns = epoch, sent_ns, now_ns()
        self._note = self.error = None
        return True

    def _stand(self, reason: NoMask, detail: str) -> None:
        """There is no stream."""
        self.ring = self.frame_bytes = self.status_bytes = None
        self.reason, self.detail = reason, detail

    def _settle(self, now: int) -> None:
        status, frame, ring = self._raw_status, self._raw_frame, self._about_ring
        bounds = self._offset.bounds(now)
        width_ns = bounds[1] - bounds[0] if bounds else 0
        if self.error is not None:
            self._stand(NoMask.MALFORMED, str(self.error))
        elif not self._epoch:
            self._stand(NoMask.NOT_CONNECTED, f"no bridge sends {self.inbox.key}")
        elif now - self._heard_ns > _GONE_NS:
            self._sent_ns = 0  # whatever comes next is news, of a clock set back too
            gone_s = (now - self._heard_ns) / 1e9
            self._stand(NoMask.SILENT, f"nothing from the bridge for {gone_s:.1f} s")
        elif self._note is not None:
            self._stand(self._note.reason, f"at the bridge: {self._note.text}")
        elif bounds is None or self._about_epoch != self._epoch:
            self._stand(NoMask.NO_CLOCK, "not measured yet")
        elif width_ns > self.allowance_ns:
            self._stand(
                NoMask.NO_CLOCK,
                f"known to {width_ns / 1e6:.0f} ms, allowed {self.allowance_ns / 1e6:.0f} ms",
            )
        elif status is None or ring is None or ring.welcome.stream_id != status.stream_id:
            self._stand(NoMask.AWAITING_WELCOME, "from the bridge")
        else:
            moved = _moved(status, bounds[1])
            check_message(moved, ring.welcome, 0, now)
            self.status_bytes, self.frame_bytes = encode(moved), None
            if frame is not None and frame.stream_id == status.stream_id:
                check_frame(frame, ring.welcome, 0)
                self.frame_bytes = encode(_moved(frame, bounds[1]))
                used = frame_indices(frame)
                if any(ring.identity_known <= index != NO_IDENTITY for index in used):
                    self._ask_ns = min(self._ask_ns, now + _ASK_SOON_NS)
            self.silence_ns = self.allowance_ns + silence_limit_ns(ring.welcome)
            self.ring, self.reason, self.detail = ring, NoMask.NONE, ""


def _moved(header: FrameHeader, offset_ns: int) -> FrameHeader:
    # What happened before this machine's boot is old, at 0 too.
    unknown = header.capture_ns == UNKNOWN_NS
    return header._replace(
        capture_ns=UNKNOWN_NS if unknown else max(0, header.capture_ns - offset_ns),
        arrival_ns=max(0, header.arrival_ns - offset_ns),
        publish_ns=max(0, header.publish_ns - offset_ns),
        sent_ns=max(0, header.sent_ns - offset_ns),
    )
