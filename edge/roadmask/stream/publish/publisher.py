"""The daemon's end of the mask stream: pixels into the ring, one small header to every client."""

from __future__ import annotations

import contextlib
import logging
import os
import secrets
import socket
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import TracebackType

from roadmask._native import crc32c, encode_frame, ring_begin, ring_commit
from roadmask.errors import PublishError
from roadmask.stream import ring
from roadmask.stream.checks import MAX_AGE_MS
from roadmask.stream.modes import MessageType, Mode, Reason
from roadmask.stream.protocol import (
    Identity,
    IdentityKind,
    decode_header,
    encode_restarts_into,
    turn_into_status,
)
from roadmask.stream.publish.access import Access, Guest
from roadmask.stream.publish.fanout import Fanout
from roadmask.stream.publish.form import check_sizes, refitted
from roadmask.stream.publish.frame_info import (
    FrameInfo,
    Indices,
    RingForm,
    Slot,
    StreamIdentity,
    slot_views,
)
from roadmask.stream.publish.identity_table import IdentityTable
from roadmask.stream.publish.listener import PER_FRAME, PER_TURN, Listener
from roadmask.stream.publish.messages import StreamMessages, refusal
from roadmask.system.clock import now_ns

__all__ = ["Access", "FrameInfo", "Publisher", "RingForm", "Slot", "StreamIdentity"]

_log = logging.getLogger(__name__)

_SEND_FLAGS = socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL


class Publisher:
    """Publishes masks to any number of subscribers up to a number, never waiting for one.

    ``begin`` gives the slot to write into, ``publish`` hands it out; both belong to one thread.
    ``heartbeat``, ``set_mode`` and the counters may be used from another thread at any time, so
    that a long inference does not silence the stream: the lock is held for each call, not from
    ``begin`` to ``publish``.

    Args:
        socket_path: the socket's file; see ``Listener``.
        mask_size: (width, height) px of every mask.
        identity: names and digests of model, calibration, camera and label set.
        frame_period_ns: nominal time between frames.
        max_age_ms: subscribers refuse a mask whose capture is longer ago.
        form: planes beside the mask, how many frames.
        access: who may read.

    Raises:
        PublishError: the socket cannot be made, or an argument is out of range.
    """

    def __init__(
        self,
        socket_path: str | Path,
        *,
        mask_size: tuple[int, int],
        identity: StreamIdentity = StreamIdentity(),  # noqa: B008 (frozen)
        frame_period_ns: int = 33_333_333,
        max_age_ms: int = 250,
        form: RingForm = RingForm(),  # noqa: B008 (frozen)
        access: Access = Access(),  # noqa: B008 (frozen)
    ) -> None:
        check_sizes(mask_size, form.preview_size)
        MAX_AGE_MS.check(max_age_ms, "maximum age in ms", PublishError)
        self._layout = ring.RingLayout(
            mask_size, form.confidence, form.preview_size, form.slots, form.room
        )
        self._max_age_ms = max_age_ms
        self._checksum = form.checksum
        self._lock = threading.Lock()
        self._door = threading.Lock()  # whoever tends it; never waited for while frames flow
        self._ended: PublishError | None = None
        self._listener = Listener(socket_path, access)
        try:
            self._ring_fd, self._memory = ring.create(self._layout.ring_bytes)
        except OSError as error:
            self._listener.close()
            raise PublishError(
                f"ring of {self._layout.ring_bytes} bytes cannot be made: {error.strerror}"
            ) from error
        view = memoryview(self._memory)
        self._slots = [slot_views(view, self._layout, index) for index in range(form.slots)]
        self._begun: Slot | None = None
        self._of_before: set[int] = set()  # slots that still hold a mask of another form
        self._last_slot = 0
        self._fanout = Fanout()
        self._identities = IdentityTable(self._memory, self._layout.identity_offset)
        self._forced_mode: int | None = None
        self._told_bits = -1
        self.mode_changed: Callable[[int], None] = lambda mode_bits: None  # waits for nothing
        # The last headers, newest last, for whoever looks later: one copy a frame.
        self.trace: deque[bytes] | None = None
        self._skipped_total = 0
        self._closed = False
        self.stream_id = secrets.randbits(64) | 1
        self.sequence = 0  # of the last published frame
        self.engine_restarts = 0  # told in every message from now on; set it from any thread
        self.sent_ns = 0  # CLOCK_BOOTTIME when that frame was handed to the kernel for the last one
        self._messages = StreamMessages(self._layout, self.stream_id, max_age_ms, frame_period_ns)
        self._prepared = [self._messages.frame(index) for index in range(form.slots)]
        # The last FRAME sent, or what stands for it before the first.
        self._message = bytearray(self._prepared[0])
        # Those whose slots may still hold them, for who joins late.
        self._past: deque[bytes] = deque(maxlen=form.slots)
        self._capture_ns = 0
        self._mode_bits = int(Mode.FAULT | Reason.STARTING)
        self.identify(identity)

    def __enter__(self) -> Publisher:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def begin(self) -> Slot:
        """The slot to write the next frame into; its former frame is no longer valid for readers.

        Called again before ``publish``, it gives the same slot: the frame is given up.
        """
        slot = self._slots[(self._last_slot + 1) % len(self._slots)]
        ring_begin(self._memory, slot.index * ring.GENERATION_STRIDE)
        if self._of_before and slot.index in self._of_before:
            self._of_before.remove(slot.index)
            slot.clear()  # who writes a mask leaves void as it is
        self._begun = slot
        return slot

    def publish(self, info: FrameInfo, *, sequence: int | None = None) -> int:
        """Hand the slot that ``begin`` gave to every subscriber, without blocking.

        Args:
            info: what is said about the frame.
            sequence: its number, for a replay that keeps the gaps of what it replays; by default
                the next one.

        Returns:
            The frame's sequence number, from 1.

        Raises:
            PublishError: no ``begin`` before, or a value that its field cannot hold, or a
                sequence that is not above the last one; the stream has ended, see ``attend``.
        """
        if self._ended is not None:
            raise self._ended
        slot = self._begun
        if slot is None:
            raise PublishError("publish without begin: write the mask into begin()'s slot first")
        if sequence is None:
            sequence = self.sequence + 1
        elif sequence <= self.sequence:
            raise PublishError(f"sequence {sequence}: expected more than {self.sequence}")
        crc = crc32c(slot.mask) if self._checksum else 0
        with self._lock:
            now = now_ns()
            skipped_total = self._skipped_total + info.skipped
            try:
                self._mode_bits = encode_frame(
                    self._message,
                    self._prepared[slot.index],
                    info,
                    sequence,
                    skipped_total,
                    crc,
                    now,
                    self.engine_restarts,
                )
            except (TypeError, ValueError) as error:
                raise PublishError(f"{info} does not fit the header: {error}") from error
            ring_commit(self._memory, slot.index * ring.GENERATION_STRIDE, sequence)
            self._begun = None
            self._last_slot = slot.index
            self.sequence = sequence
            self._skipped_total = skipped_total
            self._capture_ns = info.capture_ns
            self._forced_mode = None
            self.sent_ns = self._fanout.send(self._message, now)
            self._past.append(bytes(self._message))
            if self.trace is not None:
                self.trace.append(self._past[-1])
        self._tell_mode(self._mode_bits)
        # After the others have their frame, and outside the lock: this takes longer than sending.
        if self._listener.waiting:
            self._let_in(PER_FRAME)
        return sequence

    def fit(self, mask_size: tuple[int, int], preview_size: tuple[int, int] | None) -> None:
        """Masks of another network from the next ``begin`` on, in the same stream and memory.

        Belongs to the thread that publishes.

        Raises:
            PublishError: they need more than a slot holds (``RingForm.room``); the stream is as it
                was.
        """
        check_sizes(mask_size, preview_size)
        layout = refitted(self._layout, mask_size, preview_size)
        with self._lock:
            view = memoryview(self._memory)
            self._layout, self._begun = layout, None
            self._slots = [slot_views(view, layout, index) for index in range(layout.slots)]
            self._messages = replace(self._messages, layout=layout)
            self._prepared = [self._messages.frame(index) for index in range(layout.slots)]
            self._of_before = set(range(layout.slots))

    def check_fits(self, mask_size: tuple[int, int], preview_size: tuple[int, int] | None) -> None:
        """Whether ``fit`` would find the room.

        Raises:
            PublishError: it would not.
        """
        refitted(self._layout, mask_size, preview_size)

    def expect(self, frame_period_ns: int) -> None:
        """Another nominal time between frames, told to whoever comes from now on."""
        with self._lock:
            self._messages = replace(self._messages, frame_period_ns=frame_period_ns)

    def set_mode(self, mode: Mode, reasons: Reason = Reason.NONE) -> None:
        """Say why no frame comes, at once and in each STATUS until the next ``publish``."""
        with self._lock:
            self._forced_mode = int(mode) | int(reasons)
            self._send_status(MessageType.STATUS, self._forced_mode)
        self._tell_mode(int(mode) | int(reasons))

    def heartbeat(self) -> None:
        """Send a STATUS after what ``attend`` does; due every 50 ms without a frame.

        Unless ``set_mode`` said otherwise, the mode is the last frame's until that is older than
        allowed, then STALE; before the first frame it is FAULT, STARTING.

        Raises:
            PublishError: see ``attend``.
        """
        self.attend()
        with self._lock:
            if not self._closed:
                self._send_status(MessageType.STATUS, self._current_mode())

    def attend(self) -> None:
        """See that socket, lock and folder are still our own, and let in who waits.

        Due every 50 ms. What is gone is made again, in the same stream.

        Raises:
            PublishError: that cannot be. The stream has ended with a BYE; ``publish`` raises too.
        """
        self.check()
        if not self._door.acquire(blocking=False):
            return
        try:
            if self._closed:
                return
            self._listener.files.keep()
        except PublishError as error:
            self._ended = error
            _log.error("the stream ends: %s", error)
        finally:
            self._door.release()
        if self._ended is not None:
            self.close()
            raise self._ended
        self._let_in()

    def check(self) -> None:
        """Whether the stream goes on.

        Raises:
            PublishError: it has ended, see ``attend``.
        """
        if self._ended is not None:
            raise self._ended

    def add_identity(self, kind: IdentityKind, identity: Identity) -> int:
        """Make ``identity`` known, and return its index for ``FrameInfo.identity``.

        Raises:
            PublishError: the table is full.
        """
        with self._lock:
            return self._identities.add(kind, identity)

    def identify(self, identity: StreamIdentity) -> Indices:
        """Make all of it known; for ``FrameInfo.identity``.

        Raises:
            PublishError: the table is full.
        """
        kinds = [kind for kind in IdentityKind if kind is not IdentityKind.EMPTY]
        told = [getattr(identity, kind.name.lower()) for kind in kinds]
        return Indices(*map(self.add_identity, kinds, told))

    def close(self) -> None:
        """Say BYE, remove the socket, let go of the ring. Safe to call twice."""
        self._let_in()
        with self._door, self._lock:
            if self._closed:
                return
            self._closed = True
            self._send_status(MessageType.BYE, Mode.FAULT | Reason.SHUTDOWN)
            self._fanout.close()
            self._listener.close()
            os.close(self._ring_fd)

    @property
    def clients(self) -> int:
        """Subscribers connected at the last publish or heartbeat."""
        return self._fanout.clients

    @property
    def dropped(self) -> int:
        """Messages that slow subscribers did not get, all of them together."""
        return self._fanout.dropped

    @property
    def socket_path(self) -> Path:
        """The socket's absolute path."""
        return self._listener.files.path

    def fileno(self) -> int:
        """The listening socket: readable when a subscriber waits to be accepted."""
        return self._listener.files.socket.fileno()

    def _tell_mode(self, mode_bits: int) -> None:
        if mode_bits != self._told_bits:
            self._told_bits = mode_bits
            self.mode_changed(mode_bits)

    def _current_mode(self) -> int:
        if self._forced_mode is not None:
            return self._forced_mode
        if self.sequence and now_ns() - self._capture_ns > self._max_age_ms * 1_000_000:
            return Mode.STALE | Reason.NO_NEW_FRAME
        return self._mode_bits

    def _send_status(self, kind: MessageType, mode_bits: int) -> None:
        now = now_ns()
        self._fanout.send(self._status(kind, now, mode_bits), now)

    def _status(self, kind: MessageType, now: int, mode_bits: int) -> bytearray:
        message = bytearray(self._message)
        turn_into_status(message, kind, now, mode_bits)
        encode_restarts_into(message, self.engine_restarts)
        return message

    def _let_in(self, most: int = PER_TURN) -> None:
        if not self._door.acquire(blocking=False):  # somebody sees to it
            return
        try:
            if not self._closed:
                self._listener.turn(
                    self._ring_fd,
                    lambda: self._fanout.guests,
                    self._welcome,
                    lambda reason: refusal(self._message, reason),
                    most,
                )
        finally:
            self._door.release()

    def _welcome(self, client: socket.socket, guest: Guest, ring_fd: int) -> None:
        """WELCOME, and the last frames: at a low rate the next one is far, and some want a past."""
        with self._lock:
            before = decode_header(self._past[0]).sequence - 1 if self._past else 0
            self._fanout.add(client, guest, self._messages.welcome(before), ring_fd)
            if not self.sequence:
                return
            messages: list[bytes | bytearray] = [*self._past]
            if self._forced_mode is not None:  # the frame's own word does not hold any more
                messages.append(self._status(MessageType.STATUS, now_ns(), self._forced_mode))
            with contextlib.suppress(OSError):  # the next message finds out that it is gone
                for message in messages:
                    client.send(message, _SEND_FLAGS)
