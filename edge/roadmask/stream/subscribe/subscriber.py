"""The subscriber that blocks its thread; ``async_subscriber`` has the one for asyncio."""

from __future__ import annotations

from collections.abc import Iterator
from types import TracebackType

from roadmask.stream.modes import NoMask
from roadmask.stream.subscribe.mask import Mask
from roadmask.stream.subscribe.reader import MaskReader, deadline_ns
from roadmask.system.clock import now_ns

__all__ = ["Mask", "NoMask", "Subscriber"]


class Subscriber(MaskReader):
    """Masks from the daemon, as a context manager and an iterator.

    ``receive`` waits for the next mask, ``latest`` takes what there is; see ``MaskReader`` for
    the arguments and for what is never handed out.
    """

    def receive(self, timeout_s: float | None = None, *, copy: bool = True) -> Mask | None:
        """Wait for a usable mask that was not handed out before; None after ``timeout_s``.

        Without a time-out, or with infinity, it waits through silence and reconnects for ever: give
        one, so that S4 learns that there is no mask.

        Raises:
            ConfigError: ``timeout_s`` is nan.
            ProtocolError: only with ``reconnect=False``: what the publisher did wrong.
        """
        deadline = deadline_ns(timeout_s)
        # Only a message can bring a mask after the newest: one look less for each frame.
        wait_ns = self._wait_ns(deadline) if self._caught_up else 0
        while True:
            mask = self._next(copy, wait_ns)
            if mask is not None or self.ended:
                return mask
            if deadline is not None and now_ns() >= deadline:
                return None
            wait_ns = self._wait_ns(deadline)

    def __iter__(self) -> Iterator[Mask]:
        """Every new usable mask, until this subscriber is closed."""
        while (mask := self.receive()) is not None:
            yield mask

    def __enter__(self) -> Subscriber:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
