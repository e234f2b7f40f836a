from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from stream_parts import PATIENCE_S, publish, publisher_process

from roadmask.stream.modes import Flag, NoMask, Reason
from roadmask.stream.protocol import encode
from roadmask.stream.publish.publisher import Publisher
from roadmask.stream.subscribe.async_subscriber import AsyncSubscriber
from roadmask.testing.raw_publisher import RawPublisher, good_status, good_welcome


def test_receive_and_iterate(tmp_path: Path) -> None:
    async def read(path: Path) -> list[int]:
        sequences = []
        async with AsyncSubscriber(path) as subscriber:
            first = await subscriber.receive(timeout_s=PATIENCE_S)
            assert first is not None
            async for mask in subscriber:
                assert mask.sequence > first.sequence
                sequences.append(mask.sequence)
                if len(sequences) == 5:
                    break
        assert subscriber.reason is NoMask.CLOSED
        return sequences

    path = tmp_path / "masks.sock"
    with publisher_process(path):
        sequences = asyncio.run(read(path))
    assert sequences == sorted(set(sequences))


def test_other_tasks_run_while_it_waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("roadmask.stream.subscribe.transport.SILENCE_NS", 60_000_000_000)
    monkeypatch.setattr("roadmask.stream.publish.messages.SILENCE_MS", 60_000)

    async def read(path: Path) -> int:
        async with AsyncSubscriber(path, max_age_ms=60_000) as subscriber:
            assert await subscriber.receive(timeout_s=0) is None
            with Publisher(path, mask_size=(8, 8), max_age_ms=60_000) as publisher:
                waiting = asyncio.create_task(subscriber.receive(timeout_s=PATIENCE_S))
                while not publisher.clients:
                    publisher.heartbeat()
                    await asyncio.sleep(0)
                publish(publisher)
                mask = await waiting
                assert mask is not None
                return mask.sequence

    assert asyncio.run(read(tmp_path / "masks.sock")) == 1


def test_a_timeout_is_none(tmp_path: Path) -> None:
    async def read() -> NoMask:
        async with AsyncSubscriber(tmp_path / "nobody.sock") as subscriber:
            assert await subscriber.receive(timeout_s=0.05) is None
            return subscriber.reason

    assert asyncio.run(read()) is NoMask.NOT_CONNECTED


@contextmanager
def welcomed(path: Path) -> Iterator[RawPublisher]:
    """A publisher that welcomes by hand and says nothing by itself."""
    hostile = RawPublisher(path)
    try:
        yield hostile
    finally:
        hostile.close()


async def connected(subscriber: AsyncSubscriber, hostile: RawPublisher) -> None:
    while not subscriber.connected:
        subscriber.latest()
        hostile.serve((encode(good_welcome()), [hostile.sealed]))
        await asyncio.sleep(0)


async def steps(count: int) -> None:
    """So many turns of the loop."""
    for _ in range(count):
        await asyncio.sleep(0)


@pytest.mark.parametrize("how", ["lost", "closed"])
def test_a_lost_stream_leaves_other_connections_alone(tmp_path: Path, how: str) -> None:
    """Lost by one task's look while another waits: the number of its descriptor is used again."""

    async def read() -> bytes:
        path = tmp_path / "masks.sock"
        with welcomed(path) as hostile:
            subscriber = AsyncSubscriber(path, reconnect=False)
            while not subscriber.connected:  # connects at its first look, never again
                subscriber.latest()
                hostile.serve((encode(good_welcome()), [hostile.sealed]))
            number = subscriber.fileno()
            waiting = asyncio.create_task(subscriber.receive())
            await steps(3)
            if how == "closed":
                subscriber.close()
            else:
                hostile.kept.pop().close()
                subscriber.latest()
            ours, theirs = socket.socketpair()
            assert number in (ours.fileno(), theirs.fileno())
            if ours.fileno() != number:
                ours, theirs = theirs, ours
            reader, writer = await asyncio.open_connection(sock=ours)
            assert await asyncio.wait_for(waiting, PATIENCE_S) is None
            theirs.send(b"mine")
            said = await asyncio.wait_for(reader.read(8), 5)
            writer.close()
            theirs.close()
            return said

    assert asyncio.run(read()) == b"mine"


def test_every_cancellation_is_obeyed(tmp_path: Path) -> None:
    """Ten thousand, before, with and after a message that wakes the task."""

    async def cancel() -> int:
        path, ignored = tmp_path / "masks.sock", 0
        with welcomed(path) as hostile:
            async with AsyncSubscriber(path) as subscriber:
                await connected(subscriber, hostile)
                peer = hostile.kept[-1]
                for number in range(10_000):
                    waiting = asyncio.create_task(subscriber.receive())
                    await steps(3)
                    peer.send(encode(good_status()))
                    await steps(number % 4)
                    waiting.cancel()
                    await asyncio.wait((waiting,))
                    ignored += not waiting.cancelled()
                assert subscriber.connected
        return ignored

    assert asyncio.run(cancel()) == 0


def test_a_stream_without_end_leaves_other_tasks_their_turn(tmp_path: Path) -> None:
    """A mask at every look: the task that takes them all can be cancelled nevertheless."""

    async def read(path: Path) -> bool:
        async with AsyncSubscriber(path) as subscriber:
            while await subscriber.receive(timeout_s=0.1) is None:
                pass

            async def all_of_them() -> None:
                while True:
                    await subscriber.receive(timeout_s=0)

            reading = asyncio.create_task(all_of_them())
            await steps(10)
            reading.cancel()
            await asyncio.wait((reading,))
            return reading.cancelled()

    path = tmp_path / "masks.sock"
    with publisher_process(path):
        assert asyncio.run(read(path))


def test_it_refuses_as_the_blocking_one_does(tmp_path: Path) -> None:
    path = tmp_path / "masks.sock"

    async def told(publisher: Publisher, subscriber: AsyncSubscriber) -> NoMask:
        while True:
            publish(publisher, reasons=Reason.DARK, flags=Flag.AGE_UNKNOWN)
            mask = await subscriber.receive(timeout_s=0.01)
            if mask is not None or subscriber.reason in (NoMask.AGE_UNKNOWN, NoMask.REFUSED):
                return subscriber.reason

    async def read(**policy: Any) -> NoMask:
        with Publisher(path, mask_size=(8, 8)) as publisher:
            async with AsyncSubscriber(path, **policy) as subscriber:
                return await asyncio.wait_for(told(publisher, subscriber), PATIENCE_S)

    assert asyncio.run(read()) is NoMask.AGE_UNKNOWN
    assert asyncio.run(read(accept_unknown_age=True)) is NoMask.REFUSED
    assert asyncio.run(read(accept_unknown_age=True, refuse=Reason.NONE)) is NoMask.NONE
