"""Memory of two processes: turns are handed over and back, arrays are one another's."""

from __future__ import annotations

import mmap
import os
import subprocess
import sys
import threading

import numpy as np
import pytest

from roadmask import _native
from roadmask.inference.shared_tensors import SharedTensors, new_memory, places_of


def arrays_at(*offsets: int) -> list[np.ndarray]:
    """Arrays of 3000 bytes at these places of one piece of memory, which holds 7 elsewhere."""
    memory = np.frombuffer(mmap.mmap(-1, 16 * mmap.PAGESIZE), np.uint8)
    memory[:] = 7
    return [memory[offset : offset + 3000] for offset in offsets]


@pytest.mark.parametrize(("offset", "regions"), [(3500, 1), (4000, 1), (9000, 2)])
def test_what_one_writes_the_other_reads_and_what_lies_beside_stays(
    offset: int, regions: int
) -> None:
    first, second = own = arrays_at(100, offset)
    places = places_of(own)
    assert places[0].at == 100
    assert places[-1].region + 1 == regions
    here = SharedTensors(new_memory(places), places)
    for number, array in enumerate(here.arrays):
        array[:] = number + 1
    worker = SharedTensors(os.dup(here._descriptor), places)
    assert worker.join(own)
    np.testing.assert_array_equal(first, 1)  # a frame that waits is not overwritten by a fresh one
    np.testing.assert_array_equal(second, 2)
    first[5], second[6] = 3, 4
    assert here.arrays[0][5] == worker.arrays[0][5] == 3
    assert here.arrays[1][6] == worker.arrays[1][6] == 4
    whole = first.base
    assert isinstance(whole, np.ndarray)
    beside = np.ones(whole.shape, bool)
    beside[100:3100] = beside[offset : offset + 3000] = False
    assert (whole[beside] == 7).all()


def test_arrays_that_lie_otherwise_are_left_alone() -> None:
    places = places_of(arrays_at(100, 8192))
    shared = SharedTensors(new_memory(places), places)
    assert not shared.join(arrays_at(200, 8192))
    assert not shared.join(arrays_at(100, 3500))
    assert shared.join(arrays_at(100, 8192))


def test_turns_go_to_and_fro_between_two_processes() -> None:
    places = places_of([np.zeros(4, np.int32)])
    descriptor = new_memory(places)
    shared = SharedTensors(descriptor, places)
    program = f"""
from roadmask.inference.shared_tensors import SharedTensors, Place
import numpy as np
shared = SharedTensors({descriptor}, [Place((4,), np.dtype(np.int32), 0, {places[0].at})])
print(flush=True)
for turn in range(3):
    while not shared.turns.next(0.1):
        pass
    shared.arrays[0] += 1
    shared.turns.answer(turn, turn + 1, turn == 2)
"""
    with subprocess.Popen(
        [sys.executable, "-c", program], pass_fds=[descriptor], stdout=subprocess.PIPE
    ) as worker:
        assert worker.stdout is not None and worker.stdout.readline()
        answers = [shared.turns.ask(60.0) for _ in range(3)]
    assert answers == [(0, 1, False), (1, 2, False), (2, 3, True)]
    np.testing.assert_array_equal(shared.arrays[0], 3)


def test_an_answer_that_is_late_is_taken_and_one_that_never_comes_is_forgotten() -> None:
    memory = memoryview(mmap.mmap(-1, mmap.PAGESIZE))
    turns = _native.Turns(memory)
    other = _native.Turns(memoryview(mmap.mmap(-1, mmap.PAGESIZE)))
    assert not other.next(0.0)
    assert turns.ask(0.0) is None and turns.wait(0.001) is None
    turns.forget()
    # As the process that replaces another: it does not see what was asked before it.
    fresh = _native.Turns(memory)
    answered = threading.Thread(target=lambda: (fresh.next(60.0), fresh.answer(5, 9, False)))
    answered.start()
    late = turns.ask(0.0)
    while late is None:
        late = turns.wait(60.0)
    answered.join()
    assert late == (5, 9, False)


def test_memory_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="memory: given 8 bytes, expected 32 or more"):
        _native.Turns(bytearray(8))
    with pytest.raises(OSError, match="Bad file descriptor"):
        _native.share_pages([(mmap.PAGESIZE, 1)], -1, 0)
    with pytest.raises(ValueError, match="multiple of the page"):
        _native.share_pages([(mmap.PAGESIZE, 1)], -1, 1)
    with pytest.raises(ValueError, match="ranges that rise"):
        _native.share_pages([(mmap.PAGESIZE, 2), (mmap.PAGESIZE, 2)], -1, 0)
