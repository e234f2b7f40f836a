"""What every subscriber does: the newest mask that may be used now, or why there is none."""

from __future__ import annotations

from pathlib import Path

from roadmask._native import crc32c
from roadmask.clock import now_ns
from roadmask.connection import Connection
from roadmask.errors import ProtocolError
from roadmask.mask import MappedRing, Mask
from roadmask.modes import NO_MASK_TEXT, NOT_LIVE, Flag, Mode, NoMask, names
from roadmask.protocol import DEFAULT_SOCKET, FrameHeader
from roadmask.stream import Stream

SILENCE_NS = 200_000_000
# As plain numbers: an enumeration's operators cost microseconds, and these are for each frame.
_STALE, _FAULT, _NOT_LIVE = int(Mode.STALE), int(Mode.FAULT), int(NOT_LIVE)
_IDLE_NS = 100_000_000  # how long a wait sleeps before it looks at the clock again


class MaskReader:
    """Masks from the daemon at ``socket_path``; never old, never torn, never blocked.

    A mask is handed out only if the stream is alive (a message in the last 200 ms), its mode is
    OK or DEGRADED, and the mask is at most ``max_age_ms`` old *after* it was copied. Everything
    else is None, and ``reason`` tells why. The limits hold when the publisher is stopped, hung,
    killed or replaced; a lost stream is found again by itself.

    ``latest`` reads what has come since the last call: call it, or ``receive``, at least every
    second. One subscriber belongs to one thread.

    Args:
        socket_path: the daemon's socket, which need not exist yet; or another kind of stream.
        allow_not_live: hand out replayed, synthetic and file frames too. Never set it where a
            vehicle moves.
        max_age_ms: oldest mask to hand out; the publisher's own limit holds as well.
        reconnect: False ends at the first loss: ``receive`` and the iterator stop, and what the
            publisher did wrong is raised.
        preview: copy the preview picture too, if there is one.
    """

    def __init__(
        self,
        socket_path: str | Path | Stream = DEFAULT_SOCKET,
        *,
        allow_not_live: bool = False,
        max_age_ms: float = 250.0,
        reconnect: bool = True,
        preview: bool = False,
    ) -> None:
        if isinstance(socket_path, (str, Path)):
            socket_path = Connection(socket_path, reconnect)
        self._connection: Stream = socket_path
        self._allowance_ns = 0  # what a network adds to the silence that is borne
        self._allow_not_live = allow_not_live
        self._max_age_ms = max_age_ms
        self._preview = preview
        self._handed = (0, 0)  # stream and sequence of the last mask given away
        self._reason = NoMask.NOT_CONNECTED
        self._detail = ""
        self.dropped = 0  # frames of the stream that this reader was never handed
        self.torn = 0  # copies that the publisher overwrote: none was handed out

    def latest(self, max_age_ms: float | None = None, *, copy: bool = True) -> Mask | None:
        """The newest usable mask, or None; it never waits. The same frame may come twice.

        Args:
            max_age_ms: for this call, if it is less than the subscriber's own limit.
            copy: False gives views into the ring: faster, but valid only as long as
                ``mask.valid`` says so after their use.

        Raises:
            ProtocolError: only with ``reconnect=False``: what the publisher did wrong.
        """
        return self._newest(self._limit_ns(max_age_ms), copy, repeat=True)

    def close(self) -> None:
        """Leave the stream. Masks that were handed out stay usable, views by their ``valid``."""
        self._connection.close()
        self._reason, self._detail = NoMask.CLOSED, self._connection.detail

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
        return self._connection.fileno()

    def _limit_ns(self, max_age_ms: float | None) -> int:
        limit = self._max_age_ms if max_age_ms is None else min(max_age_ms, self._max_age_ms)
        return int(limit * 1e6)

    def _next(self, copy: bool) -> Mask | None:
        """A usable mask that was not handed out before."""
        return self._newest(self._limit_ns(None), copy, repeat=False)

    def _wait_ns(self, deadline_ns: int | None) -> int:
        """How long to wait for ``fileno`` before the next look, at most; 0 = time is over."""
        wait_ns = min(self._connection.wait_ns(), _IDLE_NS)
        return wait_ns if deadline_ns is None else min(wait_ns, deadline_ns - now_ns())

    def _refuse(self, reason: NoMask, detail: str = "") -> None:
        self._reason, self._detail = reason, detail

    def _newest(self, limit_ns: int, copy: bool, repeat: bool) -> Mask | None:
        connection = self._connection
        while True:
            connection.pump()
            ring, frame, status = connection.ring, connection.frame, connection.status
            if ring is None:
                self._refuse(connection.reason, connection.detail)
                if connection.ended and connection.error is not None:
                    raise connection.error
                return None
            if frame is None or status is None:
                self._refuse(NoMask.NO_FRAME, self._mode_text(status))
                return None
            limit = min(limit_ns, frame.max_age_ms * 1_000_000)
            if not self._usable(ring, frame, status, limit):
                return None
            if not repeat and self._handed == (frame.stream_id, frame.sequence):
                self._refuse(NoMask.NO_NEW_FRAME)
                return None
            mask = self._take(ring, frame, limit, copy)
            # Both again, because the copy takes time and this process may have been stopped.
            if mask is not None and self._usable(ring, frame, status, limit):
                if self._checksum_holds(mask):
                    self._hand_out(frame)
                    return mask
                return None
            if mask is not None:
                return None
            self.torn += 1
            self._refuse(NoMask.OVERWRITTEN)
            connection.pump()
            if connection.frame is frame:  # lapped, and nothing newer has been announced
                return None

    def _usable(
        self, ring: MappedRing, frame: FrameHeader, status: FrameHeader, limit_ns: int
    ) -> bool:
        now = now_ns()
        silence_ns = now - status.sent_ns
        silence_limit_ns = min(SILENCE_NS, ring.welcome.silence_ms * 1_000_000)
        if silence_ns > silence_limit_ns + self._allowance_ns:
            self._refuse(NoMask.SILENT, f"last message {silence_ns / 1e6:.0f} ms ago")
        elif status.mode_bits & 3 == _FAULT:
            self._refuse(NoMask.FAULT, self._mode_text(status))
        elif status.mode_bits & 3 == _STALE:
            self._refuse(NoMask.STALE, self._mode_text(status))
        elif not self._allow_not_live and frame.flag_bits & _NOT_LIVE:
            self._refuse(NoMask.NOT_LIVE, names(Flag(frame.flag_bits & NOT_LIVE)))
        elif not frame.capture_ns <= frame.publish_ns <= now:
            # Never by its age alone: a stamp of the future would look fresh a moment later.
            self._refuse(NoMask.FUTURE)
        elif now - frame.capture_ns > limit_ns:
            age_ms = (now - frame.capture_ns) / 1e6
            self._refuse(NoMask.TOO_OLD, f"{age_ms:.0f} ms, allowed {limit_ns / 1e6:.0f} ms")
        else:
            self._refuse(NoMask.NONE)
            return True
        return False

    def _take(self, ring: MappedRing, frame: FrameHeader, limit: int, copy: bool) -> Mask | None:
        size = (frame.mask_height, frame.mask_width)
        planes: list[tuple[int, ...]] = [(frame.mask_offset, frame.mask_stride, *size)]
        if frame.confidence_offset:
            planes.append((frame.confidence_offset, frame.confidence_stride, *size))
        preview = bool(frame.preview_offset and self._preview)
        if preview:
            size3 = (frame.preview_height, frame.preview_width, 3)
            planes.append((frame.preview_offset, frame.preview_stride, *size3))
        arrays = []
        for plane in planes:
            pixels = ring.copy(frame, *plane) if copy else ring.view(*plane)
            if pixels is None:
                return None
            arrays.append(pixels)
        mask = Mask(
            ring,
            frame,
            limit,
            arrays[0],
            arrays[1] if frame.confidence_offset else None,
            arrays[-1] if preview else None,
            copy,
        )
        return mask if copy or mask.whole else None

    def _checksum_holds(self, mask: Mask) -> bool:
        expected = mask.header.crc32c
        if not expected or not mask.copied or crc32c(mask.pixels) == expected:
            return True
        self._refuse(NoMask.MALFORMED, "the mask's CRC-32C differs")
        return False

    def _hand_out(self, frame: FrameHeader) -> None:
        stream, sequence = self._handed
        if stream == frame.stream_id and frame.sequence > sequence:
            self.dropped += frame.sequence - sequence - 1
        self._handed = (frame.stream_id, frame.sequence)

    @staticmethod
    def _mode_text(status: FrameHeader | None) -> str:
        return "" if status is None else f"{status.mode.name}: {names(status.reasons)}"
