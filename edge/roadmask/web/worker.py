"""A thread of its own with a bounded line before it: what does not fit is refused at once."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TypeVar

from roadmask.web.problems import ProblemError, busy

Result = TypeVar("Result")


class Worker:
    """One thread that does one thing after another.

    Args:
        name: for the refusal and the thread.
        limit: how many may wait beside the one being done.
    """

    def __init__(self, name: str, limit: int) -> None:
        self.name, self.limit = name, limit
        self.pending = 0
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=name)
        self._mean_s = 0.1
        self._began: float | None = None

    @property
    def full(self) -> ProblemError | None:
        """The refusal, while nothing more can be taken."""
        if self.pending <= self.limit:
            return None
        wait_s = max(1, math.ceil(self.pending * self._mean_s))
        return busy(f"{self.name} has {self.pending} requests waiting", wait_s)

    @property
    def occupied_s(self) -> float:
        """How long the work that is being done has taken so far."""
        began = self._began
        return 0.0 if began is None else time.monotonic() - began

    async def run(self, work: Callable[[], Result]) -> Result:
        """The result of ``work``, done in the thread.

        Raises:
            ProblemError: 503, the line is full.
        """
        if self.full is not None:
            raise self.full
        self.pending += 1
        # A client that goes away leaves its place only when its work is done: memory is bounded.
        future = asyncio.get_running_loop().run_in_executor(self._thread, self._timed, work)
        future.add_done_callback(lambda _: self._leave())
        return await asyncio.shield(future)

    def afterwards(self, work: Callable[[], object]) -> None:
        """Do what is short and must be done once what was asked for before is; never refused."""
        with suppress(RuntimeError):  # the server ends, and so does all that it holds
            self._thread.submit(work)

    def close(self) -> None:
        """Finish what runs, drop what waits."""
        self._thread.shutdown(wait=True, cancel_futures=True)

    def _leave(self) -> None:
        self.pending -= 1

    def _timed(self, work: Callable[[], Result]) -> Result:
        started = self._began = time.monotonic()
        try:
            return work()
        finally:
            self._began = None
            self._mean_s += 0.2 * (time.monotonic() - started - self._mean_s)
