"""Both clients: whatever a publisher sends, a call takes a bounded number of messages and bytes."""

from __future__ import annotations

import fcntl
import os
import socket
import struct
import subprocess
import termios
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from cpp_parts import driven, program
from stream_parts import frame_info, process, wait_for

from roadmask._native import INBOX_MORE, INBOX_MOST, Inbox
from roadmask.errors import ConfigError
from roadmask.stream import ring
from roadmask.stream.modes import NoMask
from roadmask.stream.protocol import encode
from roadmask.stream.publish.publisher import Publisher
from roadmask.stream.subscribe.subscriber import Subscriber
from roadmask.testing.raw_publisher import (
    LAYOUT,
    RawPublisher,
    good_frame,
    good_status,
    good_welcome,
)

Ask = Callable[[], tuple[NoMask, str, str]]
CLIENTS = ("python", "cpp")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "masks.sock"


@contextmanager
def asked(client: str, path: Path, max_ring_bytes: int = 256 << 20) -> Iterator[Ask]:
    """Asks a client for its newest mask, which it must not have: (reason, check, sentence)."""
    if client == "python":
        with Subscriber(path, max_ring_bytes=max_ring_bytes) as subscriber:

            def of_python() -> tuple[NoMask, str, str]:
                assert subscriber.latest() is None
                check = subscriber.error.check if subscriber.error else "none"
                return subscriber.reason, check, subscriber.reason_text

            yield of_python
        return
    with driven("probe", path, "--max-ring", max_ring_bytes) as running:

        def of_cpp() -> tuple[NoMask, str, str]:
            kind, reason, check, text = running.ask("latest").split(" ", 3)
            assert kind == "none"
            return NoMask(int(reason)), check, text

        yield of_cpp


def roomy(peer: socket.socket) -> None:
    """Room for thousands of messages that nobody has read."""
    try:
        peer.setsockopt(socket.SOL_SOCKET, 32, 8 << 20)  # SO_SNDBUFFORCE
    except PermissionError:
        pytest.skip("only root has so large a send buffer")


def unread(peer: socket.socket) -> int:
    """Bytes that the other end has not taken yet."""
    return int(struct.unpack("i", fcntl.ioctl(peer, termios.TIOCOUTQ, bytes(4)))[0])


@pytest.mark.parametrize("client", CLIENTS)
def test_a_flood_is_taken_in_parts(path: Path, client: str) -> None:
    with RawPublisher(path) as hostile, asked(client, path) as ask:
        wait_for(lambda: ask()[0] is NoMask.AWAITING_WELCOME, "connected")

        def welcomed() -> bool:
            hostile.serve((encode(good_welcome()), [hostile.sealed]))
            hostile.send(encode(good_status()))
            return ask()[0] is NoMask.NO_FRAME

        wait_for(welcomed, "welcomed")
        peer = hostile.kept[-1]
        roomy(peer)
        status = encode(good_status())  # once: a reader that waits for long has paused

        def in_parts() -> bool:
            """Unless the machine was so busy that the reader paused: it looks again then."""
            for _ in range(3 * INBOX_MOST):
                peer.send(status)
            before = unread(peer)
            ask()
            left = unread(peer)
            wait_for(lambda: ask() and not unread(peer), "the rest")
            return 0 < left < before

        wait_for(in_parts, "one look, not all of it")


def test_one_call_reads_so_many_messages() -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        roomy(theirs)
        for _ in range(INBOX_MOST + 7):
            theirs.send(encode(good_status()))
        inbox = Inbox(encode(good_welcome()))
        assert inbox.read(ours.fileno()) & INBOX_MORE
        for _ in range(7):
            ours.recv(4096, socket.MSG_DONTWAIT)
        with pytest.raises(BlockingIOError):
            ours.recv(4096, socket.MSG_DONTWAIT)


@pytest.mark.parametrize("client", CLIENTS)
def test_a_ring_that_is_not_there_is_not_made(path: Path, client: str) -> None:
    """2 GiB, sealed, no page of it written: the reader would make them all, at its own cost."""
    with RawPublisher(path) as hostile:
        for size in (2 << 30, 128 << 20):
            sparse = os.memfd_create("sparse", os.MFD_ALLOW_SEALING)
            os.ftruncate(sparse, size)
            fcntl.fcntl(sparse, fcntl.F_ADD_SEALS, ring.SEALS)
            welcome = encode(good_welcome(ring_bytes=size))
            with asked(client, path) as ask:

                def named(welcome: bytes = welcome, sparse: int = sparse, ask: Ask = ask) -> bool:
                    hostile.serve((welcome, [sparse]))
                    return ask()[:2] == (NoMask.MALFORMED, "ring_size")

                wait_for(named, "refusal")
            assert os.fstat(sparse).st_blocks == 0
            os.close(sparse)


@pytest.mark.parametrize("client", CLIENTS)
def test_a_readers_own_maximum(path: Path, client: str) -> None:
    """Of the ring, and of one frame: an eighth of it."""
    layout = ring.RingLayout((512, 256), True, (512, 256), 2)
    with RawPublisher(path, layout) as hostile:
        welcome = (encode(good_welcome(layout)), [hostile.sealed])
        slot = layout.slots_offset
        frame = {
            "slot": 0,
            "mask_offset": slot,
            "confidence_offset": slot + layout.confidence_start,
        }
        frame["preview_offset"] = slot + layout.preview_start
        for most, check in (
            (layout.ring_bytes - 1, "ring_size"),
            (8 * layout.slot_bytes - 1, "mask_size"),
            (8 * layout.slot_bytes, "none"),
        ):
            with asked(client, path, most) as ask:

                def named(check: str = check, ask: Ask = ask) -> bool:
                    news = (encode(good_frame(**frame)), list[int]())
                    hostile.serve(welcome, news)
                    reason, failed, _ = ask()
                    return failed == check and reason in (NoMask.MALFORMED, NoMask.OVERWRITTEN)

                wait_for(named, check)


NO_ROOM = """
import resource, sys, time
from roadmask.stream.modes import NoMask
from roadmask.stream.subscribe.subscriber import Subscriber
with Subscriber(sys.argv[1]) as subscriber:
    while (view := subscriber.latest(copy=False)) is None:
        time.sleep(0.001)
    used = int(open("/proc/self/statm").read().split()[0]) * 4096
    resource.setrlimit(resource.RLIMIT_AS, (used + (2 << 20),) * 2)
    for _ in range(2000):
        if subscriber.latest() is None and subscriber.reason is NoMask.NO_MEMORY:
            break
        time.sleep(0.001)
    print("memory", int(subscriber.reason), flush=True)
"""


@pytest.mark.parametrize("client", CLIENTS)
def test_no_memory_is_a_reason(path: Path, client: str) -> None:
    with Publisher(path, mask_size=(2816, 2048)) as publisher:  # 5.5 MiB

        def answer(running: subprocess.Popen[str]) -> str:
            def published() -> bool:
                publisher.begin()
                publisher.publish(frame_info())
                return running.poll() is not None

            wait_for(published, "an answer")
            assert running.stdout is not None
            return running.stdout.read()

        if client == "python":
            with process(NO_ROOM, path) as running:
                assert answer(running) == f"memory {int(NoMask.NO_MEMORY)}\n"
            return
        command = [program("calls"), "memory", str(path)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as running:
            assert answer(running) == f"memory 0 {int(NoMask.NO_MEMORY)} 0\n1\n"


def test_any_time_out_is_taken_or_named(path: Path) -> None:
    with Subscriber(path) as subscriber:
        for none in (0, -1, float("-inf")):
            assert subscriber.receive(timeout_s=none) is None
        with pytest.raises(ConfigError, match="timeout_s: given nan"):
            subscriber.receive(timeout_s=float("nan"))
        with pytest.raises(ConfigError, match="max_age_ms: given nan"):
            subscriber.latest(max_age_ms=float("nan"))
    with pytest.raises(ConfigError, match="max_age_ms: given nan"):
        Subscriber(path, max_age_ms=float("nan"))


FOR_EVER = """
import sys
from roadmask.stream.subscribe.subscriber import Subscriber
with Subscriber(sys.argv[1]) as subscriber:
    print("ready", flush=True)
    print("receive", int(subscriber.receive(timeout_s=float(sys.argv[2])) is not None), flush=True)
"""


@pytest.mark.parametrize("client", ["inf", "1e300", "cpp"])
def test_the_longest_time_out_waits(path: Path, client: str) -> None:
    """``inf`` and ``milliseconds::max()``: as long as it takes, not no time at all."""
    if client == "cpp":
        command = [program("calls"), "forever", str(path)]
        running = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        try:
            assert first_mask(path, running).startswith("receive 1 0")
        finally:
            running.kill()
            running.communicate()
        return
    with process(FOR_EVER, path, client) as running:
        assert first_mask(path, running) == "receive 1\n"


def first_mask(path: Path, running: subprocess.Popen[str]) -> str:
    """What it says once there are masks; it waits before."""
    assert running.stdout is not None
    assert running.stdout.readline() == "ready\n"
    with Publisher(path, mask_size=(8, 8)) as publisher:

        def published() -> bool:
            publisher.begin()
            publisher.publish(frame_info())
            return running.poll() is not None

        wait_for(published, "a mask")
    return running.stdout.read()


@pytest.mark.parametrize("client", CLIENTS)
def test_the_cause_is_the_true_one(tmp_path: Path, client: str) -> None:
    """A path too long, a folder, a file, nothing, an abstract name: each by its own words."""
    file = tmp_path / "file"
    file.write_text("x")
    for path, words in (
        (Path("/tmp") / ("x" * 103), "a path of 108 bytes, a socket's has at most 107"),
        (tmp_path, "it is a folder, not a socket"),
        (file, "it is a file, not a socket"),
        (tmp_path / "nothing", "No such file or directory"),
    ):
        with asked(client, path) as ask:
            reason, check, text = ask()
            assert (reason, check) == (NoMask.NOT_CONNECTED, "none") and words in text


@pytest.mark.parametrize("client", CLIENTS)
def test_a_publisher_that_accepts_nobody_is_silent(path: Path, client: str) -> None:
    """Stopped: its queue of connections is full. Nobody broke the protocol."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as stopped:
        stopped.bind(str(path))
        stopped.listen(0)
        waiting = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with waiting, asked(client, path) as ask:
            waiting.connect(str(path))
            wait_for(lambda: ask()[0] is NoMask.SILENT, "silent")


def test_an_empty_path_is_no_name_that_anybody_may_own() -> None:
    """108 zero bytes, which C++ would connect to, and the abstract name that Python would."""
    for name in ("\0" * 108, "\0roadmask"):
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as abstract:
            abstract.bind(name)
            abstract.listen()
            abstract.setblocking(False)
            with driven("probe", "") as running:
                assert "the path is empty" in running.ask("latest")
            for path, words in (("", "the path is empty"), ("\0roadmask", "the path holds a NUL")):
                with Subscriber(path) as subscriber:
                    assert subscriber.latest() is None
                    assert words in subscriber.reason_text
            with pytest.raises(BlockingIOError):
                abstract.accept()


def test_layouts_of_our_own_publisher_fit() -> None:
    """A frame may have an eighth of the ring: our publisher's has eight slots."""
    assert LAYOUT.slots == 8 and LAYOUT.slot_bytes * 8 <= LAYOUT.ring_bytes
