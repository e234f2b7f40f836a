"""Prepare the next batches in threads while the network trains on this one."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Batch = TypeVar("Batch")


def prefetch(
    load: Callable[[int], Batch], steps: range, *, workers: int = 2, ahead: int = 4
) -> Iterator[Batch]:
    """``load(step)`` for each step, in order, up to ``ahead`` of them begun early."""
    waiting: deque[Future[Batch]] = deque()
    pool = ThreadPoolExecutor(workers, thread_name_prefix="batch")
    try:
        for step in steps:
            waiting.append(pool.submit(load, step))
            if len(waiting) > ahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
