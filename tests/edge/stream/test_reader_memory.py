"""Both clients, each in its own process: a ring that is refused costs its reader no memory."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from cpp_parts import Driven, driven
from stream_parts import wait_for

from roadmask.stream.modes import NoMask
from roadmask.testing import StreamPlayer

NO_DAEMONS = ("torn", "hostile", "flood", "sparse", "mute")
READER = """
import sys
from roadmask.stream.subscribe.subscriber import Subscriber
with Subscriber(sys.argv[1], max_ring_bytes=int(sys.argv[2])) as subscriber:
    for _ in sys.stdin:
        subscriber.latest()
        error = subscriber.error
        print("none", int(subscriber.reason), error.check if error else "none", flush=True)
"""


@contextmanager
def reader_process(client: str, path: Path, max_ring_bytes: int) -> Iterator[Driven]:
    if client == "cpp":
        with driven("probe", path, "--max-ring", max_ring_bytes) as running:
            yield running
        return
    running = Driven(sys.executable, "-c", READER, str(path), str(max_ring_bytes))
    try:
        yield running
    finally:
        running.close()


def peak_kib(running: Driven) -> int:
    status = Path(f"/proc/{running.process.pid}/status").read_text()
    found = re.search(r"VmHWM:\s*(\d+) kB", status)
    assert found
    return int(found[1])


@pytest.mark.parametrize("max_ring_bytes", [256 << 20, 4 << 30])
@pytest.mark.parametrize("client", ["python", "cpp"])
def test_a_refused_ring_is_not_charged_to_its_reader(
    tmp_path: Path, client: str, max_ring_bytes: int
) -> None:
    """2 GiB, sealed and sparse, above the reader's own limit and below it."""
    path = tmp_path / "masks.sock"
    refusal = ["none", str(int(NoMask.MALFORMED)), "ring_size"]
    with (
        StreamPlayer(path) as player,
        reader_process(client, path, max_ring_bytes) as running,
    ):
        running.ask("latest")
        before = peak_kib(running)

        def refused() -> bool:
            player.play("sparse", 0)
            return running.ask("latest").split(" ")[:3] == refusal

        for _ in range(5):
            wait_for(refused, "refusal")
            wait_for(lambda: not refused(), "another try")
        assert peak_kib(running) - before <= 64 << 10


@pytest.mark.parametrize("client", ["python", "cpp"])
def test_no_bad_publisher_costs_its_reader_memory(tmp_path: Path, client: str) -> None:
    """The scenes that no daemon plays, in turns; the rings that are accepted have 5 MiB."""
    path = tmp_path / "masks.sock"
    with StreamPlayer(path) as player, reader_process(client, path, 256 << 20) as running:
        before, said = peak_kib(running), set()

        def attacked() -> bool:
            for scene in NO_DAEMONS:
                player.play(scene, 0)
                said.add(NoMask(int(running.ask("latest").split(" ")[1])))
            return {NoMask.MALFORMED, NoMask.AWAITING_WELCOME} <= said

        for _ in range(15):
            attacked()
        wait_for(attacked, "which scene it meets is a matter of its next try's time")
        assert peak_kib(running) - before <= 64 << 10
