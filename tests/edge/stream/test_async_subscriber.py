from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from stream_parts import PATIENCE_S, publish, publisher_process

from roadmask.stream.modes import NoMask
from roadmask.stream.publish.publisher import Publisher
from roadmask.stream.subscribe.async_subscriber import AsyncSubscriber


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
