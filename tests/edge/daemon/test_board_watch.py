"""THERMAL and POWER come at once and go slowly."""

from __future__ import annotations

import threading

from stream_parts import wait_for

from roadmask.daemon.board_watch import BoardWatch
from roadmask.stream.modes import Reason
from roadmask.system.board import BoardState


def state(hot: bool = False, weak: bool = False) -> BoardState:
    return BoardState(hot, weak, 60.0, 1800.0, 1800.0, 1800.0)


def test_a_reason_comes_at_once_and_goes_after_five_calm_looks() -> None:
    looks = [state(), state(hot=True), *[state()] * 4, state(weak=True), *[state()] * 5]
    watch = BoardWatch(lambda before: looks.pop(0))
    seen = [watch.look() for _ in range(12)]
    hot, weak = Reason.THERMAL, Reason.POWER
    assert seen[:7] == [Reason.NONE, hot, hot, hot, hot, hot, weak]
    assert seen[7:] == [weak, weak, weak, weak, Reason.NONE]


def test_it_looks_by_itself() -> None:
    looked = threading.Event()

    def look(before: BoardState | None) -> BoardState:
        looked.set()
        return state(hot=True)

    with BoardWatch(look) as watch:
        assert looked.wait(60)
        wait_for(lambda: watch.reasons == Reason.THERMAL, "the reason")
