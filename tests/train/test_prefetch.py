"""Batches come in order, errors come out, and nothing is loaded that nobody wants."""

import threading

import pytest

from train.data.prefetch import prefetch


def test_batches_come_in_their_order() -> None:
    assert list(prefetch(lambda step: step * step, range(3, 20))) == [n * n for n in range(3, 20)]
    assert list(prefetch(lambda step: step, range(5, 5))) == []


def test_no_more_than_a_few_batches_wait() -> None:
    loaded, lock = [], threading.Lock()

    def load(step: int) -> int:
        with lock:
            loaded.append(step)
        return step

    batches = prefetch(load, range(100), ahead=3)
    assert next(batches) == 0
    batches.close()
    assert len(loaded) <= 4


def test_an_error_of_a_batch_reaches_the_reader() -> None:
    def load(step: int) -> int:
        if step == 2:
            raise ValueError("frame 2")
        return step

    batches = prefetch(load, range(5))
    assert [next(batches), next(batches)] == [0, 1]
    with pytest.raises(ValueError, match="frame 2"):
        next(batches)
