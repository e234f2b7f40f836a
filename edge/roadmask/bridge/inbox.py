"""The network side of a far end: the newest sample of each kind, answers, and a wake-up."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from functools import partial
from typing import Any

from roadmask.bridge import wire
from roadmask.bridge.zenoh_session import load_zenoh, open_session
from roadmask.errors import ConfigError
from roadmask.system.clock import now_ns

_MOST_ANSWERS = 16


class RemoteInbox:
    """What Zenoh's threads leave for the reader of ``key``.

    They keep the newest sample of each kind and wake the reader; there is no queue that could
    hold old frames back.
    """

    def __init__(self, key: str) -> None:
        self.key = key
        self.closed = False
        self._session: Any = None
        self._lock = threading.Lock()
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._samples: dict[str, tuple[bytes, Any]] = {}
        self._answers: list[tuple[int, bytes, int]] = []

    def open(self, connect: Sequence[str], listen: Sequence[str], scout: bool) -> None:
        """Join the network and subscribe."""
        try:
            self._session = open_session(connect, listen, scout)
        except ConfigError:
            self.close()
            raise
        zenoh = load_zenoh()
        direct = zenoh.handlers.Callback(self._on_sample, indirect=False)
        self._subscription = self._session.declare_subscriber(f"{self.key}/*", direct)

    def fileno(self) -> int:
        """Readable when a sample or an answer came; -1 when closed."""
        return self._wake

    def take(self) -> tuple[dict[str, tuple[bytes, Any]], list[tuple[int, bytes, int]]]:
        """Samples by kind (attachment, payload), answers (asked, payload, answered); emptied."""
        with self._lock:
            samples, self._samples = self._samples, {}
            answers, self._answers = self._answers, []
            if samples or answers:
                os.eventfd_read(self._wake)
        return samples, answers

    def close(self) -> None:
        """Leave the network. Safe to call twice."""
        with self._lock:
            if self.closed:
                return
            self.closed = True
            os.eventfd_write(self._wake, 1)  # for who waits in another thread
            os.close(self._wake)
            self._wake = -1
        if self._session is not None:
            self._session.close()

    def _on_sample(self, sample: Any) -> None:
        kind = str(sample.key_expr)[len(self.key) + 1 :]
        if kind in (wire.MASK, wire.STATUS) and sample.attachment is not None:
            kept = sample.attachment.to_bytes(), sample.payload
            with self._lock:
                if not self.closed:
                    self._samples[kind] = kept
                    os.eventfd_write(self._wake, 1)

    def _on_reply(self, asked_ns: int, reply: Any) -> None:
        answered_ns = now_ns()
        if reply.ok is None:
            return
        with self._lock:
            if not self.closed and len(self._answers) < _MOST_ANSWERS:
                self._answers.append((asked_ns, reply.ok.payload.to_bytes(), answered_ns))
                os.eventfd_write(self._wake, 1)

    def ask(self) -> None:
        """Ask the bridge for its clock, WELCOME and identities; the answer comes later."""
        zenoh = load_zenoh()
        # Read last before it goes out: what lies between counts as uncertainty.
        handler = zenoh.handlers.Callback(partial(self._on_reply, now_ns()), indirect=False)
        self._session.get(
            f"{self.key}/{wire.ABOUT}",
            handler,
            timeout=1.0,
            congestion_control=zenoh.CongestionControl.DROP,
            express=True,
        )
