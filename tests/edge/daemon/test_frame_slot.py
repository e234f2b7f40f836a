"""The slot between capture and inference: which frame is taken, what is counted, who waits."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from stream_parts import wait_for

from roadmask.daemon.frame_slot import Captured, FrameSlot
from roadmask.errors import CaptureError
from roadmask.inference.tensors import Prepared
from roadmask.sources import EndOfStream


def captured(frame_id: int) -> Captured:
    image = np.zeros((2, 2, 3), np.uint8)
    return Captured(image, (2, 2), 1, frame_id, True, 7, Prepared(np.empty(1)))


def taken(slot: FrameSlot) -> tuple[int, int]:
    frame = slot.take(0.0)
    assert frame is not None and frame.ready_ns == 7  # nothing was prepared: as it was available
    return frame.frame_id, frame.skipped


def test_the_newest_wins_and_the_overwritten_one_is_released() -> None:
    released: list[Prepared] = []
    slot = FrameSlot(True, released.append)
    assert slot.take(0.0) is None and not slot.filled
    first = captured(0)
    assert slot.put(first, wait=False) and slot.put(captured(1), wait=False) and slot.filled
    assert released == [first.prepared]
    assert taken(slot) == (1, 1)
    slot.put(captured(4), wait=False)
    assert taken(slot) == (4, 2)  # two were never fetched from the camera
    assert (slot.frames, slot.dropped) == (3, 3)


def test_ids_keep_rising_when_the_camera_counts_from_0_again() -> None:
    slot = FrameSlot(True, lambda _: None)
    seen = []
    for frame_id in (5, 0, 1, 3):
        slot.put(captured(frame_id), wait=False)
        seen.append(taken(slot))
    assert seen == [(5, 5), (6, 0), (7, 0), (9, 1)]


def test_a_frame_that_must_not_be_lost_waits_until_the_one_before_is_taken() -> None:
    slot = FrameSlot(False, lambda _: None)
    slot.put(captured(0), wait=False)
    assert not slot.put(captured(1), wait=False)
    filler = threading.Thread(target=slot.put, args=(captured(1), True))
    filler.start()
    frame = slot.take(0.0)
    assert frame is not None and frame.frame_id == 0
    assert frame.capture_ns > 1  # a file has no age
    filler.join()
    assert taken(slot) == (1, 0)


def test_who_waits_is_let_go_at_the_end() -> None:
    slot = FrameSlot(False, lambda _: None)
    slot.put(captured(0), wait=False)
    filler = threading.Thread(target=slot.put, args=(captured(1), True))
    filler.start()
    slot.close()
    filler.join()
    taker_got = []
    slot.take(0.0)
    taker = threading.Thread(target=lambda: taker_got.append(slot.take(60.0)))
    taker.start()
    wait_for(lambda: slot.awaited, "a taker")
    slot.finish(EndOfStream("over"))
    taker.join(30.0)
    assert taker_got == [None] and slot.finished


def test_the_last_frame_is_taken_before_the_failure_is_told() -> None:
    slot = FrameSlot(False, lambda _: None)
    slot.put(captured(0), wait=False)
    slot.finish(CaptureError("broken"))
    assert taken(slot) == (0, 0)
    with pytest.raises(CaptureError, match="broken"):
        slot.take(0.0)
