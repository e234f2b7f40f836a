"""A reader that is stopped and goes on: nothing old is accepted, the others are not disturbed."""

from __future__ import annotations

import resource
import select
import signal
import time
from pathlib import Path

import pytest
from stream_parts import frame_info, process, stop, wait_for

from roadmask.stream.publish.publisher import Publisher
from roadmask.system.clock import now_ns

# Prints the sequence of each mask.
READER = """
import sys
from roadmask.stream.subscribe.subscriber import Subscriber
with Subscriber(sys.argv[1]) as subscriber:
    while True:
        mask = subscriber.receive(timeout_s=1)
        if mask is not None:
            print(mask.sequence, flush=True)
"""


def publish(publisher: Publisher) -> int:
    publisher.begin()
    return publisher.publish(frame_info())


def test_what_was_queued_meanwhile_is_never_accepted(tmp_path: Path) -> None:
    path = tmp_path / "masks.sock"
    with Publisher(path, mask_size=(64, 32)) as publisher, process(READER, path) as reader:
        assert reader.stdout is not None
        wait_for(lambda: publish(publisher) and publisher.clients == 1, "the reader")

        def line() -> str:
            assert reader.stdout is not None
            publish(publisher)
            ready = select.select([reader.stdout], [], [], 0.02)[0]
            return reader.stdout.readline() if ready else ""

        assert wait_for(line, "a mask")
        stop(reader)
        before = publisher.sequence
        while not publisher.dropped:
            publish(publisher)
        queued, captured_ns = publisher.sequence, publisher._capture_ns
        wait_for(lambda: now_ns() - captured_ns > 250_000_000, "all of the queue is too old")
        reader.send_signal(signal.SIGCONT)
        while True:
            # Lines up to `before` may have been printed before it stopped.
            sequence = int(wait_for(line, "a mask").split()[0])
            assert not before < sequence <= queued
            if sequence > queued:
                break


@pytest.mark.slow
def test_ten_seconds_at_60_hz(tmp_path: Path) -> None:
    """One stopped, one in step: that misses nothing, the other takes nothing old, memory flat."""
    path = tmp_path / "masks.sock"
    steady = READER.replace("Subscriber(sys.argv[1])", "Subscriber(sys.argv[1], max_age_ms=6e4)")
    steady = (
        "from roadmask.stream.subscribe import transport\n"
        "transport.SILENCE_NS = 60_000_000_000\n" + steady
    )
    with (
        pytest.MonkeyPatch.context() as patch,
        process(READER, path) as stopped,
        process(steady, path) as reader,
    ):
        patch.setattr("roadmask.stream.publish.messages.SILENCE_MS", 60_000)
        with Publisher(path, mask_size=(512, 256), max_age_ms=60_000) as publisher:
            assert reader.stdout is not None
            wait_for(lambda: publish(publisher) and publisher.clients == 2, "both readers")

            def caught_up() -> bool:
                assert reader.stdout is not None
                publish(publisher)
                while int(reader.stdout.readline().split()[0]) < publisher.sequence:
                    pass
                return True

            wait_for(caught_up, "the steady reader")
            stop(stopped)
            before = publisher.sequence
            memory_kib = 0
            for frame in range(600):
                sequence = publish(publisher)
                assert int(reader.stdout.readline().split()[0]) == sequence
                time.sleep(1 / 60)  # the rate is the test's subject, not its clock
                if frame == 30:
                    memory_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory_kib < 1024
            assert publisher.dropped > 0
            missed = publisher.sequence
            stopped.send_signal(signal.SIGCONT)

            def let_in_again() -> bool:
                publish(publisher)
                return publisher.clients == 2

            wait_for(let_in_again, "the stopped one is back")
            sequence = 0
            while sequence <= missed:  # its lines from before it stopped come first
                publish(publisher)
                if select.select([stopped.stdout], [], [], 0.02)[0]:
                    assert stopped.stdout is not None
                    sequence = int(stopped.stdout.readline().split()[0])
                    assert not before < sequence <= missed
