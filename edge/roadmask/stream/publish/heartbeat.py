"""Keeps a stream alive while nothing is published: a STATUS from a thread of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable

from roadmask.errors import PublishError
from roadmask.stream.publish.publisher import Publisher

TICK_S = 0.025  # two ticks without a frame make a heartbeat: the clients expect one in 50 ms


class Heart:
    """Sends a STATUS when no frame was published between two ticks, and attends to the socket.

    Args:
        publisher: the stream.
        idle: called before each STATUS with the last frame's sequence, in the heart's thread.
    """

    def __init__(
        self, publisher: Publisher, idle: Callable[[int], None] = lambda sequence: None
    ) -> None:
        self._publisher, self._idle = publisher, idle
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="heartbeat", daemon=True)

    def __enter__(self) -> Heart:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _beat(self) -> None:
        seen = -1
        while not self._stop.wait(TICK_S):
            sequence = self._publisher.sequence
            try:
                if sequence == seen:
                    self._idle(sequence)
                    self._publisher.heartbeat()
                else:
                    self._publisher.attend()
            except PublishError:  # the stream has ended: who publishes is told
                return
            seen = sequence
