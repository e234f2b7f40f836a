"""Both clients called from several threads, in a fork, and after a move."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cpp_parts import program
from stream_parts import PATIENCE_S, process, publish, publisher_process, wait_for

from roadmask._native import process_id
from roadmask.stream import ring
from roadmask.stream.modes import NoMask
from roadmask.stream.protocol import encode
from roadmask.stream.publish.publisher import Publisher
from roadmask.stream.subscribe.mask import Mask
from roadmask.stream.subscribe.subscriber import Subscriber
from roadmask.testing.raw_publisher import RawPublisher, good_welcome

FORKED = int(NoMask.FORKED)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "masks.sock"


@pytest.fixture
def silent(path: Path) -> Iterator[None]:
    """A publisher that welcomes whoever comes, and says nothing more."""
    hostile, over = RawPublisher(path), threading.Event()

    def serve() -> None:
        while not over.wait(0.001):
            hostile.serve((encode(good_welcome()), [hostile.sealed]))

    serving = threading.Thread(target=serve)
    serving.start()
    yield
    over.set()
    serving.join()
    hostile.close()


def test_closed_by_another_thread_it_takes_nobodys_bytes(path: Path, silent: None) -> None:
    for _ in range(20):
        close_while_it_waits(Subscriber(path))


def close_while_it_waits(subscriber: Subscriber) -> None:
    """Whatever gets the descriptor's number keeps its bytes."""
    wait_for(lambda: subscriber.latest() or subscriber.connected, "connected")
    taken: list[Mask | None] = []
    waiting = threading.Thread(target=lambda: taken.append(subscriber.receive()))
    waiting.start()
    subscriber.close()
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        ours.send(b"mine")
        theirs.send(b"mine")
        waiting.join(PATIENCE_S)
        assert not waiting.is_alive() and taken == [None]
        assert ours.recv(8, socket.MSG_DONTWAIT) == b"mine"
        assert theirs.recv(8, socket.MSG_DONTWAIT) == b"mine"
    assert subscriber.reason is NoMask.CLOSED and subscriber.ended


def test_closed_by_another_thread_in_cpp(path: Path, silent: None) -> None:
    done = subprocess.run([program("calls"), "close", str(path)], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "kept\n")


def test_two_threads_share_the_stream(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each frame goes to one of those that wait, whole and under its own number."""
    monkeypatch.setattr("roadmask.stream.publish.messages.SILENCE_MS", 60_000)
    monkeypatch.setattr("roadmask.stream.subscribe.transport.SILENCE_NS", 60_000_000_000)
    with (
        Publisher(path, mask_size=(64, 32), max_age_ms=60_000) as publisher,
        Subscriber(path, max_age_ms=60_000) as subscriber,
    ):
        seen: list[Mask] = []

        def read() -> None:
            while (mask := subscriber.receive()) is not None:
                seen.append(mask)

        readers = [threading.Thread(target=read) for _ in range(3)]
        for reader in readers:
            reader.start()

        def published() -> bool:
            publish(publisher, (publisher.sequence + 1) % 7)
            return len(seen) >= 200

        wait_for(published, "frames")
        subscriber.close()
        for reader in readers:
            reader.join(PATIENCE_S)
        sequences = [mask.sequence for mask in seen]
        assert len(set(sequences)) == len(sequences)
        assert all((mask.pixels == mask.sequence % 7).all() for mask in seen)


FORK = """
import os, sys
from roadmask.stream.subscribe.subscriber import Subscriber
with Subscriber(sys.argv[1]) as subscriber:
    while (first := subscriber.receive(timeout_s=0.1)) is None:
        pass
    if (child := os.fork()) == 0:
        found = subscriber.receive() is not None
        print("child", int(found), int(subscriber.reason), int(subscriber.ended), flush=True)
        subscriber.close()
        os._exit(0)
    os.waitpid(child, 0)
    for _ in range(5):
        while subscriber.receive(timeout_s=0.1) is None:
            pass
    print("parent", int(subscriber.connected), int(subscriber.reason), int(subscriber.ended))
"""


@pytest.mark.parametrize("client", ["python", "cpp"])
def test_a_fork_is_refused_by_name(path: Path, client: str) -> None:
    """The child takes none of the parent's messages, and does not end its stream."""
    expected = f"child 0 {FORKED} 1\nparent 1 0 0\n"
    with publisher_process(path):
        if client == "cpp":
            command = [program("calls"), "fork", str(path)]
            assert subprocess.run(command, capture_output=True, text=True).stdout == expected
            return
        with process(FORK, path) as running:
            assert running.stdout is not None
            assert running.stdout.read() == expected


def test_a_fork_before_the_connection_owns_the_subscriber(path: Path) -> None:
    """As when a program becomes a daemon: nobody else has the stream."""
    script = FORK.replace("while (first :=", "while False and (first :=")
    with publisher_process(path), process(script, path) as running:
        assert running.stdout is not None
        assert running.stdout.readline().startswith("child 1 0 0")


def test_who_was_moved_from_is_closed() -> None:
    done = subprocess.run([program("calls"), "moved"], capture_output=True, text=True)
    closed = int(NoMask.CLOSED)
    calls = [f"{call} 0 {closed} 1" for call in ("latest", "view", "receive")]
    assert done.returncode == 0
    assert done.stdout.splitlines() == [*calls, "the stream was closed -1 0none00"]


def others_ran(call: Callable[[], object]) -> bool:
    """Whether another thread had a turn while ``call`` ran, which nothing but ``call`` gave it."""
    count, over, before = [0], threading.Event(), sys.getswitchinterval()

    def run() -> None:
        while not over.is_set():
            count[0] += 1
            time.sleep(0)

    running = threading.Thread(target=run)
    # A thread that computes keeps the lock; set before, for a wait goes on with what held then.
    sys.setswitchinterval(1000)
    running.start()
    try:
        begin = count[0]
        call()
        return count[0] > begin
    finally:
        sys.setswitchinterval(before)
        over.set()
        running.join()


def test_pages_are_mapped_and_copied_without_the_interpreters_lock(path: Path) -> None:
    """A watchdog thread stood still for 5.4 s while its process mapped a ring."""
    fd, _memory = ring.create(64 << 20)
    try:
        wait_for(lambda: others_ran(lambda: ring.map_read_only(fd, 64 << 20)), "turns: mapping")
    finally:
        os.close(fd)
    with (
        Publisher(path, mask_size=(2816, 2048), max_age_ms=60_000) as publisher,  # 5.5 MiB
        Subscriber(path, max_age_ms=60_000) as subscriber,
    ):
        subscriber.latest()

        def turns_while_copied() -> bool:
            publish(publisher)
            found: list[Mask | None] = []
            ran = others_ran(lambda: found.append(subscriber.latest()))
            return ran and found[0] is not None

        wait_for(turns_while_copied, "turns: copying")
    assert not others_ran(lambda: bytes(64 << 20)), "this would be seen"


def test_a_fork_has_an_id_of_its_own() -> None:
    assert process_id() == os.getpid()
    read_end, write_end = os.pipe()
    if (child := os.fork()) == 0:
        os.write(write_end, f"{process_id() == os.getpid()}".encode())
        os._exit(0)
    os.waitpid(child, 0)
    os.close(write_end)
    assert os.read(read_end, 8) == b"True"
    os.close(read_end)
