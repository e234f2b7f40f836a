"""Short visits of the live page: none leaves its subscription behind."""

from __future__ import annotations

import asyncio
from pathlib import Path

from stream_parts import frame_info

from roadmask.stream.publish.publisher import Publisher
from roadmask.web.live.hub import LiveHub

_VISITS = 500


def publish(publisher: Publisher) -> None:
    publisher.begin()
    publisher.publish(frame_info())


def test_visits_leave_no_subscription(tmp_path: Path) -> None:
    async def visit(publisher: Publisher) -> int:
        hub = LiveHub(str(publisher.socket_path), {}, 8)
        for number in range(_VISITS):
            viewer = hub.join()
            for _ in range(number % 23):
                publish(publisher)
                hub.acknowledge(viewer, publisher.sequence)  # the event that a leave may meet
                await asyncio.sleep(0)
            hub.acknowledge(viewer, publisher.sequence)
            hub.leave(viewer)
        await hub.close()
        for _ in range(20):
            await asyncio.sleep(0)
        publish(publisher)
        publish(publisher)
        assert len(asyncio.all_tasks()) == 1, "nobody looks, nobody reads"
        return publisher.clients

    with Publisher(tmp_path / "masks.sock", mask_size=(8, 8)) as publisher:
        assert asyncio.run(visit(publisher)) == 0
