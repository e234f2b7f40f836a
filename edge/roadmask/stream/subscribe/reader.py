"""What every subscriber does: the newest mask that may be used now, or why there is none."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

from roadmask._native import crc32c
from roadmask.errors import Check, ConfigError, ProtocolError
from roadmask.stream.checks import MAX_LIMIT_MS
from roadmask.stream.modes import NO_MASK_TEXT, NOT_LIVE, Flag, NoMask, names
from roadmask.stream.protocol import DEFAULT_SOCKET, KEY, FrameHeader, decode_header
from roadmask.stream.subscribe.connection import MAX_RING_BYTES, Connection
from roadmask.stream.subscribe.history import History
from roadmask.stream.subscribe.mask import MappedRing, Mask, Planes
from roadmask.stream.subscribe.policy import Policy, PolicyOptions
from roadmask.stream.subscribe.transport import SILENCE_NS, Stream
from roadmask.system.clock import now_ns

if TYPE_CHECKING:
    from typing_extensions import Unpack

# What a reader that paused may find of a publisher that lives.
_UNHEARD = (
    NoMask.SILENT,
    NoMask.TOO_OLD,
    NoMask.OVERWRITTEN,
    NoMask.CONNECTION_LOST,
    NoMask.AWAITING_WELCOME,
    NoMask.NO_FRAME,
)
_IDLE_NS = 100_000_000  # how long a wait sleeps before it looks at the clock again
_AGES_S = 1e9  # of a wait that nobody lives to see the end of
_COPIES = 2  # tries of one call: a publisher that laps its readers holds nobody up


def _number(name: str, value: float) -> float:
    if math.isnan(value):
        raise ConfigError(f"{name}: given nan, expected a number; inf means no limit")
    return value


def deadline_ns(timeout_s: float | None) -> int | None:
    """The end of a wait, ns CLOCK_BOOTTIME; None for None and infinity: there is none.

    Raises:
        ConfigError: ``timeout_s`` is nan.
    """
    if timeout_s is None or _number("timeout_s", timeout_s) == math.inf:
        return None
    return now_ns() + int(min(max(timeout_s, 0.0), _AGES_S) * 1e9)


def _is_flawed(mask: Mask) -> bool:
    """A copy that has not the checksum it should have."""
    return bool(mask.crc32c and mask.copied and crc32c(mask.pixels) != mask.crc32c)


class MaskReader:
    """Masks from the daemon at ``socket_path``; never old, never torn, never blocked.

    A mask is handed out only if its publisher is known, the stream is alive (a message in the last
    200 ms), its mode is OK or DEGRADED, none of its reasons is one of ``refuse``, and the mask is
    at most ``max_age_ms`` old *after* it was copied. Everything else is None, and ``reason`` tells
    why. The limits hold when the publisher is stopped, hung,
    killed or replaced; a lost stream is found again by itself.

    ``latest`` reads what has come since the last call. Whatever a publisher sends, a call ends with
    its time-out and takes in a bounded number of messages. Any thread may call, ``close`` too:
    threads that wait share the stream. A fork is refused (``FORKED``) while the parent's stream is
    up.

    Args:
        socket_path: the daemon's socket, which need not exist yet; or another kind of stream.
        max_age_ms: oldest mask to hand out; the publisher's own limit holds as well.
        reconnect: False ends at the first loss: ``receive`` and the iterator stop, and what the
            publisher did wrong is raised.
        preview: copy the preview picture too, if there is one.
        max_ring_bytes: largest ring to map; a frame's planes may have an eighth of it.
        policy: ``allow_not_live``, ``accept_unknown_age``, ``refuse``,
            ``publisher_user`` and ``model``; ``Policy`` tells what they mean.

    Raises:
        ConfigError: an argument of ``policy`` cannot be used, or a limit is nan.
    """

    _SIGN_OF_LIFE_NS = 150_000_000  # three heartbeats: reconnected, let in, and the newest frame

    def __init__(
        self,
        socket_path: str | Path | Stream = DEFAULT_SOCKET,
        *,
        max_age_ms: float = 250.0,
        reconnect: bool = True,
        preview: bool = False,
        max_ring_bytes: int = MAX_RING_BYTES,
        **policy: Unpack[PolicyOptions],
    ) -> None:
        self._policy = Policy(**policy)
        self._max_age_ms = _number("max_age_ms", max_age_ms)
        if isinstance(socket_path, (str, Path)):
            socket_path = Connection(socket_path, reconnect, self._policy.user, max_ring_bytes)
        self._connection: Stream = socket_path
        self._native = self._policy.native
        self._own_limit_ns = self._limit_ns(max_age_ms)
        self._preview = preview
        self._looked_ns = 0  # when it was last read what had come
        self._handed = (0, 0)  # stream and sequence of the last mask given away
        self._handed_key = b""  # both as they were in its message
        self._reason = NoMask.NOT_CONNECTED
        self._detail = ""
        self._failed = Check.CRC  # of the last mask that was MALFORMED itself
        self.dropped = 0  # frames of the stream that this reader was never handed
        self.torn = 0  # copies that the publisher overwrote: none was handed out

    def latest(self, max_age_ms: float | None = None, *, copy: bool = True) -> Mask | None:
        """The newest usable mask, or None; it does not wait. The same frame may come twice.

        One exception: after a pause of more than 200 ms between two calls the socket may hold only
        what is old, and the publisher may have hung up. Then the call waits for a sign of life, for
        150 ms at most.

        Args:
            max_age_ms: for this call, if it is less than the subscriber's own limit.
            copy: False gives views into the ring: faster, but valid only as long as
                ``mask.valid`` says so after their use.

        Raises:
            ConfigError: ``max_age_ms`` is nan.
            ProtocolError: only with ``reconnect=False``: what the publisher did wrong.
        """
        limit_ns = self._own_limit_ns if max_age_ms is None else self._limit_ns(max_age_ms)
        paused = self._paused()
        mask = self._newest(limit_ns, copy, True)
        if mask is not None:
            return mask
        deadline = now_ns() + self._SIGN_OF_LIFE_NS
        while mask is None and paused and self._reason in _UNHEARD:
            if now_ns() >= deadline:
                break
            mask = self._newest(limit_ns, copy, True, max(self._wait_ns(deadline), 0))
        return mask

    def history(self, most: int, max_age_ms: float | None = None) -> History | None:
        """The last frames of this stream, for a tracker that joins late; it does not wait.

        Each is copied and judged as the newest is, by the same limits; the newest is among them.
        Who joins late gets those that the ring holds. Nothing is taken for handed out.

        Args:
            most: how many at most; the ring has 8 slots unless the daemon was told otherwise, and
                one is always being written.
            max_age_ms: for this call, if it is less than the subscriber's own limit.

        Returns:
            None without a stream, or before its first frame: see ``reason``.

        Raises:
            ConfigError: ``max_age_ms`` is nan.
        """
        limit_ns = self._own_limit_ns if max_age_ms is None else self._limit_ns(max_age_ms)
        stream = self._connection
        stream.check_fork()
        with stream.lock:
            stream.pump()
            self._looked_ns = now_ns()
            if stream.ring is None or stream.frame_bytes is None:
                self._refuse(stream.judge(self._native, limit_ns), stream.detail)
                return None
            self._refuse(NoMask.NONE)
            masks, missing = [], {}
            for frame in stream.past()[-most:] if most > 0 else ():
                mask = self._recall(stream.ring, frame, limit_ns)
                if isinstance(mask, Mask):
                    masks.append(mask)
                else:
                    missing[decode_header(frame).sequence] = mask
            return History(tuple(masks), missing)

    def close(self) -> None:
        """Leave the stream, from any thread: a call that waits there returns None.

        Masks that were handed out stay usable, views by their ``valid``.
        """
        self._connection.check_fork()
        with self._connection.lock:
            self._connection.close()
            self._refuse(self._connection.reason, self._connection.detail)

    @property
    def reason(self) -> NoMask:
        """Why the last call gave no mask; NONE if it gave one."""
        return self._reason

    @property
    def reason_text(self) -> str:
        """The reason as a sentence, with what is known about it."""
        text = NO_MASK_TEXT[self._reason]
        return f"{text} ({self._detail})" if self._detail else text

    @property
    def error(self) -> ProtocolError | None:
        """The check that failed, while ``reason`` is MALFORMED."""
        if self._reason is NoMask.MALFORMED and self._connection.error is None:
            return ProtocolError(self._failed, self._detail)  # of one mask: the stream goes on
        return self._connection.error

    @property
    def status(self) -> FrameHeader | None:
        """The last message of the stream, FRAME or STATUS; None while there is no stream."""
        return self._connection.status

    @property
    def frame(self) -> FrameHeader | None:
        """The last FRAME of the stream; None before the first, and while there is no stream."""
        return self._connection.frame

    @property
    def ring(self) -> MappedRing | None:
        """The stream's WELCOME and identities, for who relays or records it; None without one."""
        return self._connection.ring

    @property
    def connected(self) -> bool:
        """A stream is up; its masks may be refused all the same."""
        return self._connection.ring is not None

    @property
    def ended(self) -> bool:
        """No mask will ever come: closed, or lost with ``reconnect=False``."""
        return self._connection.ended

    def fileno(self) -> int:
        """For select and poll: readable when something came. -1 while unconnected."""
        self._connection.check_fork()
        return self._connection.fileno()

    def _paused(self) -> bool:
        """Nobody looked for so long that silence is no longer the publisher's alone."""
        return 0 < self._looked_ns < now_ns() - SILENCE_NS

    def _limit_ns(self, max_age_ms: float) -> int:
        limit = min(_number("max_age_ms", max_age_ms), self._max_age_ms)
        # No frame may be used longer than the protocol's greatest limit: infinity means that.
        return int(max(0.0, min(limit, MAX_LIMIT_MS)) * 1e6)

    def _next(self, copy: bool, wait_ns: int = 0) -> Mask | None:
        """A usable mask that was not handed out before, after a wait for any news."""
        return self._newest(self._own_limit_ns, copy, False, wait_ns)

    @property
    def _caught_up(self) -> bool:
        """The newest frame that is known was handed out."""
        frame = self._connection.frame_bytes
        return frame is not None and frame[KEY] == self._handed_key

    def _wait_ns(self, deadline_ns: int | None) -> int:
        """How long to wait for ``fileno`` before the next look, at most; 0 = time is over."""
        wait_ns = min(self._connection.wait_ns(), _IDLE_NS)
        return wait_ns if deadline_ns is None else min(wait_ns, deadline_ns - now_ns())

    def _refuse(self, reason: NoMask, detail: str = "") -> None:
        self._reason, self._detail = reason, detail

    def _newest(self, limit_ns: int, copy: bool, repeat: bool, wait_ns: int = 0) -> Mask | None:
        stream = self._connection
        stream.check_fork()
        stream.await_news(wait_ns)
        with stream.lock:
            planes = None
            if copy:
                handed = b"" if repeat else self._handed_key
                planes = stream.fetch(handed, self._native, limit_ns, self._preview)
            else:
                stream.pump()
            self._looked_ns = now_ns()
            ring, frame = stream.ring, stream.frame_bytes
            if planes is None or ring is None or frame is None:
                return self._pick(stream, limit_ns, copy, repeat)
            return self._hand_out(Mask(ring, frame, limit_ns, planes, True), frame)

    def _pick(self, stream: Stream, limit_ns: int, copy: bool, repeat: bool) -> Mask | None:
        """The newest frame, if it may be used."""
        for _ in range(_COPIES):
            ring, frame = stream.ring, stream.frame_bytes
            if ring is None:
                self._refuse(stream.reason, stream.detail)
                if stream.ended and stream.error is not None:
                    raise stream.error
                return None
            if frame is None:
                self._refuse(stream.judge(self._policy.native, limit_ns), self._mode_text())
                return None
            if not repeat and frame[KEY] == self._handed_key:
                if self._usable(limit_ns):
                    self._refuse(NoMask.NO_NEW_FRAME)
                return None
            mask = self._take(ring, frame, limit_ns, copy)
            if mask is not None:
                return self._hand_out(mask, frame)
            if self._reason is not NoMask.OVERWRITTEN:
                return None
            self.torn += 1
            stream.pump()
            newest = stream.frame_bytes
            # Lapped, and nothing newer has been announced.
            if newest is not None and newest[KEY] == frame[KEY]:
                return None
        return None

    def _take(self, ring: MappedRing, frame: bytes, limit_ns: int, copy: bool) -> Mask | None:
        """The newest frame; None if it may not be used, and ``_reason`` says why."""
        if copy:
            taken = self._connection.take(frame, self._policy.native, limit_ns, self._preview)
            if isinstance(taken, Planes):
                return Mask(ring, frame, limit_ns, taken, True)
            self._failed = Check.CATEGORY
            self._refuse(taken, self._why(taken, limit_ns))
            return None
        planes = ring.planes(decode_header(frame), self._preview)
        mask = Mask(ring, frame, limit_ns, planes, False)
        if not self._usable(limit_ns):
            return None
        if not mask.whole:
            self._refuse(NoMask.OVERWRITTEN)
            return None
        return mask

    def _recall(self, ring: MappedRing, frame: bytes, limit_ns: int) -> Mask | NoMask:
        taken = self._connection.take(frame, self._native, limit_ns, self._preview)
        if not isinstance(taken, Planes):
            return taken
        mask = Mask(ring, frame, limit_ns, taken, True)
        return NoMask.MALFORMED if _is_flawed(mask) else mask

    def _usable(self, limit_ns: int) -> bool:
        verdict = self._connection.judge(self._policy.native, limit_ns)
        if verdict:
            self._refuse(verdict, self._why(verdict, limit_ns))
        return not verdict

    def _why(self, verdict: NoMask, limit_ns: int) -> str:
        frame, status, now = self._connection.frame, self._connection.status, now_ns()
        if frame is None or status is None:
            return self._connection.detail
        if verdict == NoMask.MALFORMED:
            return "an id above 7 in the mask"
        if verdict == NoMask.SILENT:
            return f"last message {(now - status.sent_ns) / 1e6:.0f} ms ago"
        reasons = frame.reasons | status.reasons
        if verdict in (NoMask.FAULT, NoMask.STALE):
            return f"{status.mode.name}: {names(reasons)}"
        if verdict == NoMask.REFUSED:
            return names(reasons & self._policy.refused)
        if verdict == NoMask.NOT_LIVE:
            return names(Flag(frame.flag_bits & NOT_LIVE))
        if verdict == NoMask.TOO_OLD:
            limit_ms = min(limit_ns / 1e6, frame.max_age_ms)
            return f"{(now - frame.seen_ns) / 1e6:.0f} ms, allowed {limit_ms:.0f} ms"
        return ""

    def _hand_out(self, mask: Mask, frame: bytes) -> Mask | None:
        """The mask, if its checksum holds."""
        if _is_flawed(mask):
            self._failed = Check.CRC
            self._refuse(NoMask.MALFORMED, "the mask's CRC-32C differs")
            return None
        self._reason, self._detail = NoMask.NONE, ""
        stream, sequence = self._handed
        if stream == mask.stream_id and mask.sequence > sequence:
            self.dropped += mask.sequence - sequence - 1
        self._handed, self._handed_key = (mask.stream_id, mask.sequence), frame[KEY]
        return mask

    def _mode_text(self) -> str:
        status = self._connection.status
        return "" if status is None else f"{status.mode.name}: {names(status.reasons)}"
