"""A writer in another process laps both clients: every torn copy is noticed, none handed out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from cpp_parts import driven
from stream_parts import process

from roadmask._native import ring_read
from roadmask.stream.subscribe.subscriber import Subscriber

# Two slots and no pause: a frame's slot is taken again while it is still read. Masks of argv[2] x
# argv[3] px.
LAPPING_WRITER = """
import sys
from roadmask.system.clock import now_ns
from roadmask.stream.publish.publisher import FrameInfo, Publisher, RingForm
size = int(sys.argv[2]), int(sys.argv[3])
with Publisher(sys.argv[1], mask_size=size, form=RingForm(slots=2)) as publisher:
    print("up", flush=True)
    while True:
        slot = publisher.begin()
        slot.mask[:] = (publisher.sequence + 1) % 7
        publisher.publish(FrameInfo(now_ns(), (1280, 720)))
"""
AMOUNTS = [30, pytest.param(1000, marks=pytest.mark.slow)]


@pytest.fixture(params=[(1024, 512)])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "masks.sock"
    with process(LAPPING_WRITER, path, *request.param) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == "up\n"
        yield path


@pytest.mark.parametrize("amount", AMOUNTS)
def test_the_python_client_hands_out_no_torn_mask(path: Path, amount: int) -> None:
    with Subscriber(path) as subscriber:
        handed = 0
        while subscriber.torn < amount or not handed:
            mask = subscriber.latest()
            if mask is not None:
                handed += 1
                assert (mask.pixels == mask.sequence % 7).all()


@pytest.mark.parametrize("amount", AMOUNTS)
def test_the_cpp_client_hands_out_no_torn_mask(path: Path, amount: int) -> None:
    with driven("probe", path) as running:
        handed, torn, mixed = map(int, running.ask(f"stress {amount}").split())
    assert torn >= amount and mixed == 0
    assert handed > 0


@pytest.mark.parametrize("path", [(4096, 2048)], indirect=True, ids=["large"])
@pytest.mark.parametrize("amount", [10, pytest.param(1000, marks=pytest.mark.slow)])
def test_the_tears_are_real(path: Path, amount: int) -> None:
    """Copies of mixed frames do come about, and ``ring_read`` refuses each of them.

    Large masks, so that writer and reader meet where they have to share a core with others too.
    """
    out = np.empty((2048, 4096), np.uint8)
    mixed = whole = 0
    with Subscriber(path) as subscriber:
        connection = subscriber._connection
        while mixed < amount or not whole:
            connection.pump()
            ring, frame = connection.ring, connection.frame
            if ring is None or frame is None:
                continue
            out[::32] = 255  # what no frame holds: a copy that never began is not a mixed one
            good = ring_read(
                ring.memory, ring.generation_offset(frame), frame.sequence, frame.mask_offset, out
            )
            if good:
                whole += 1
                assert (out == frame.sequence % 7).all()
            else:
                mixed += not (out[::32] == out[0, 0]).all()
