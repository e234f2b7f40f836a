"""A reader that seldom looks: its queue is full of what is old, or it was hung up on."""

from __future__ import annotations

import asyncio
import itertools
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from client_parts import LANGUAGES, Reader, reader
from stream_parts import publish, wait_for

from roadmask.stream.modes import NoMask
from roadmask.stream.publish import fanout
from roadmask.stream.publish.publisher import Publisher
from roadmask.stream.subscribe.async_subscriber import AsyncSubscriber
from roadmask.stream.subscribe.connection import Connection
from roadmask.system.clock import now_ns

PAUSE_NS = 300_000_000  # more than a silence of 200 ms and an age of 250
STILL_NS = 50_000_000  # of the 150 ms that a look waits for a sign of life


@pytest.fixture(params=LANGUAGES)
def language(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "masks.sock"


Beats = list[int]


@contextmanager
def publishing(path: Path) -> Iterator[tuple[Publisher, Beats]]:
    """A stream that nobody interrupts, fast enough to fill a queue soon; and when it published."""
    stop, beats = threading.Event(), Beats()
    with Publisher(path, mask_size=(8, 8)) as publisher:

        def run() -> None:
            while not stop.wait(0.005):
                publish(publisher)
                beats.append(now_ns())

        thread = threading.Thread(target=run)
        thread.start()
        try:
            yield publisher, beats
        finally:
            stop.set()
            thread.join()


def pause(publisher: Publisher) -> None:
    """Until the queue is full, and what it holds is old."""
    begun, dropped = now_ns(), publisher.dropped
    wait_for(lambda: publisher.dropped > dropped and now_ns() - begun > PAUSE_NS, "a full queue")


def looked(client: Reader, look: Callable[[], bool], beats: Beats) -> bool:
    """One look gives a mask; none is excused where the machine itself stood still for long."""
    begun = now_ns()
    if look():
        return True
    times = [begun, *(beat for beat in beats if beat > begun), now_ns()]
    gap_ns = max(later - earlier for earlier, later in itertools.pairwise(times))
    assert gap_ns > STILL_NS or times[-1] - begun > 150_000_000 + STILL_NS, client.text
    return False


def test_the_newest_mask_after_every_pause(path: Path, language: str) -> None:
    with publishing(path) as (publisher, beats), reader(language, path) as client:
        wait_for(client.look, "a mask")
        for look in (client.look, client.view, client.look):

            def given(look: Callable[[], bool] = look) -> bool:
                pause(publisher)
                return looked(client, look, beats)

            wait_for(given, "a mask")


def test_a_reader_that_was_hung_up_on_comes_back(
    path: Path, language: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fanout, "_SLOW_NS", 0)
    with publishing(path) as (publisher, beats), reader(language, path) as client:

        def comes_back() -> bool:
            wait_for(client.look, "a mask")
            wait_for(lambda: publisher.clients == 0, "it is hung up on")
            begun = now_ns()
            wait_for(lambda: now_ns() - begun > PAUSE_NS, "a pause")
            return looked(client, client.look, beats)

        wait_for(comes_back, "a mask")


def test_after_a_pause_silence_and_absence_are_told_as_they_are(path: Path, language: str) -> None:
    def paused_look(client: Reader, reason: NoMask) -> None:
        begun = now_ns()
        wait_for(lambda: now_ns() - begun > PAUSE_NS, "a pause")
        assert not client.look() and client.reason is reason, client.text

    with reader(language, path) as client:
        with Publisher(path, mask_size=(8, 8)) as publisher:
            client.look()
            publish(publisher)
            paused_look(client, NoMask.SILENT)
        paused_look(client, NoMask.CLOSED)
        paused_look(client, NoMask.NOT_CONNECTED)


def test_an_event_loop_is_never_held_up(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[int] = []
    await_news = Connection.await_news

    def spied(connection: Connection, wait_ns: int) -> None:
        waits.append(wait_ns)
        await_news(connection, wait_ns)

    monkeypatch.setattr(Connection, "await_news", spied)

    async def main() -> None:
        with publishing(path) as (publisher, _):
            async with AsyncSubscriber(path) as subscriber:
                assert await subscriber.receive(timeout_s=60) is not None
                await asyncio.to_thread(pause, publisher)
                if subscriber.latest() is None:
                    assert subscriber.reason is not NoMask.SILENT, "who did not look cannot know"
                assert await subscriber.receive(timeout_s=60) is not None

    asyncio.run(main())
    assert waits and not any(waits)
