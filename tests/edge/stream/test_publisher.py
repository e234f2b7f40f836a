from __future__ import annotations

import os
import signal
import socket
import stat
import threading
from contextlib import ExitStack
from pathlib import Path

import pytest
from stream_parts import (
    connect,
    frame_info,
    header_of,
    let_others_in,
    process,
    publish,
    publisher_process,
    wait_for,
    welcome_of,
)

from roadmask.errors import PublishError
from roadmask.stream.modes import Flag, MessageType, Mode, Reason
from roadmask.stream.publish.publisher import Access, Publisher, RingForm
from roadmask.stream.subscribe.subscriber import Subscriber
from roadmask.system.clock import now_ns


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "masks.sock"


def test_a_client_is_welcomed_and_gets_the_frame_that_let_it_in(path: Path) -> None:
    with Publisher(path, mask_size=(64, 32), form=RingForm(True, (32, 16))) as publisher:
        publish(publisher)
        with connect(path) as client:
            sequence = publish(publisher, skipped=2, counts=(0, 3, 1, 0, 0, 0, 0, 0))
            welcome = welcome_of(client)
            before, frame = header_of(client), header_of(client)
            assert publisher.clients == 1
    assert (welcome.sequence, before.sequence, sequence, frame.sequence) == (0, 1, 2, 2)
    assert welcome.stream_id == frame.stream_id
    assert (welcome.slots, welcome.silence_ms, welcome.heartbeat_ms) == (8, 200, 50)
    assert frame.flags == Flag.CONFIDENCE | Flag.PREVIEW
    assert (frame.mask_width, frame.preview_width) == (64, 32)
    assert (frame.skipped, frame.skipped_total) == (2, 2)
    assert (frame.share_1, frame.share_2) == (49151, 16384)  # 3/4 and 1/4 of 65535


def test_who_comes_between_two_frames_gets_the_last_ones(path: Path) -> None:
    with Publisher(path, mask_size=(64, 32)) as publisher:
        publisher.heartbeat()
        with connect(path) as early:
            publisher.heartbeat()
            assert welcome_of(early).sequence == 0
            assert header_of(early).type == MessageType.STATUS
        publish(publisher)
        publish(publisher, frame_id=7)
        with connect(path) as client:
            publisher.heartbeat()
            assert welcome_of(client).sequence == 0
            first, frame, status = (header_of(client) for _ in range(3))
            assert (first.type, first.sequence) == (2, 1)
            assert (frame.type, frame.sequence, frame.frame_id) == (2, 2, 7)
            assert (status.type, status.sequence) == (3, 2)
        with Subscriber(path, max_age_ms=60_000) as subscriber:
            subscriber.latest()
            publisher.heartbeat()
            subscriber.latest()
            assert subscriber.status is not None and subscriber.status.sequence == 2
            assert subscriber.error is None


def test_status_tells_why_no_frame_comes(path: Path) -> None:
    with Publisher(path, mask_size=(64, 32), max_age_ms=1) as publisher, connect(path) as client:
        publisher.heartbeat()
        welcome_of(client)
        first = header_of(client)
        assert (first.type, first.mode, first.reasons) == (3, Mode.FAULT, Reason.STARTING)
        assert first.sequence == 0
        publish(publisher, mode=Mode.DEGRADED, reasons=Reason.THERMAL)
        assert header_of(client).mode is Mode.DEGRADED
        wait_for(lambda: now_ns() > header_time(publisher) + 1_000_000, "frame too old")
        publisher.heartbeat()
        stale = header_of(client)
        assert (stale.mode, stale.reasons) == (Mode.STALE, Reason.NO_NEW_FRAME)
        assert (stale.sequence, stale.mask_offset) == (1, 0)
        publisher.set_mode(Mode.FAULT, Reason.CAMERA_LOST)
        publisher.heartbeat()
        assert header_of(client).reasons == header_of(client).reasons == Reason.CAMERA_LOST
        publish(publisher)
        assert header_of(client).mode is Mode.OK


def header_time(publisher: Publisher) -> int:
    return publisher._capture_ns


def test_bye_on_close_and_nothing_is_left(path: Path) -> None:
    publisher = Publisher(path, mask_size=(64, 32))
    assert stat.S_IMODE(path.stat().st_mode) == 0o660
    with connect(path) as client:
        publisher.heartbeat()
        welcome_of(client)
        header_of(client)
        publisher.close()
        bye = header_of(client)
        assert (bye.type, bye.reasons) == (MessageType.BYE, Reason.SHUTDOWN)
        assert client.recv(1) == b""
    publisher.close()
    assert list(path.parent.iterdir()) == []


def test_nothing_is_left_after_kill(path: Path) -> None:
    with publisher_process(path) as running:
        assert path.exists()
        # Of what it maps itself: other processes' files come and go in that folder meanwhile.
        maps = Path(f"/proc/{running.pid}/maps").read_text()
        assert "memfd:" in maps and "/dev/shm/" not in maps
        held = [str(each.readlink()) for each in Path(f"/proc/{running.pid}/fd").iterdir()]
        assert not [name for name in held if name.startswith("/dev/shm/")]
        running.send_signal(signal.SIGKILL)
        wait_for(lambda: not list(path.parent.iterdir()), "socket and lock removed")
    Publisher(path, mask_size=(8, 8)).close()


def test_without_a_shell_nothing_is_left_on_close(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("roadmask.stream.publish.janitor._SHELL", "/no/shell")
    with Publisher(path, mask_size=(8, 8)), connect(path):
        pass
    assert list(path.parent.iterdir()) == []


def test_a_second_publisher_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("roadmask.stream.publish.socket_file._LOCK_WAIT_S", 0.05)
    with Publisher(path, mask_size=(8, 8)):
        with pytest.raises(PublishError, match=f"in use by process {os.getpid()}"):
            Publisher(path, mask_size=(8, 8))
        with connect(path):  # the first one's socket is still there
            pass


def test_a_socket_left_behind_is_replaced(path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as dead:
        dead.bind(str(path))
    with Publisher(path, mask_size=(8, 8)), connect(path):
        pass


def test_unusable_paths(path: Path, tmp_path: Path) -> None:
    path.write_text("mine")
    with pytest.raises(PublishError, match="is no socket"):
        Publisher(path, mask_size=(8, 8))
    assert path.read_text() == "mine"
    with pytest.raises(PublishError, match="longer than 107 bytes"):
        Publisher(tmp_path / ("x" * 108), mask_size=(8, 8))
    with pytest.raises(PublishError, match="cannot be made"):
        Publisher(path / "below" / "a" / "file.sock", mask_size=(8, 8))
    with pytest.raises(PublishError, match="does not exist"):
        Publisher(tmp_path / "a.sock", mask_size=(8, 8), access=Access(users=("no-such-user",)))
    with pytest.raises(PublishError, match="mask size"):
        Publisher(tmp_path / "a.sock", mask_size=(0, 8))
    with pytest.raises(PublishError, match="slots"):
        Publisher(tmp_path / "a.sock", mask_size=(8, 8), form=RingForm(slots=1))
    assert not (tmp_path / "a.sock").exists()


def test_every_one_of_32_gets_each_frame_and_more_are_told(path: Path) -> None:
    access = Access(per_user=32)
    with Publisher(path, mask_size=(8, 8), access=access) as publisher, ExitStack() as stack:
        clients = [stack.enter_context(connect(path)) for _ in range(32)]
        while publisher.clients < 32:
            publisher.attend()
        with connect(path) as one_more:
            for _ in range(3):
                publish(publisher)
            for client in clients:
                welcome_of(client)
                assert [header_of(client).sequence for _ in range(3)] == [1, 2, 3]
            assert header_of(one_more).reasons == Reason.TOO_MANY_CLIENTS
            assert one_more.recv(1) == b""
        clients[7].close()
        publish(publisher)
        with connect(path) as another:
            publish(publisher)
            welcome_of(another)
            assert publisher.clients == 32


AS_NOBODY = """
import os, socket, sys
path, groups = sys.argv[1], [int(g) for g in sys.argv[2].split(",") if g]
os.setgroups(groups); os.setgid(65534); os.setuid(65534)
client = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
try:
    client.connect(path)
except PermissionError:
    print("EACCES", flush=True); sys.exit()
print("connected", flush=True)
data, fds, _, _ = socket.recv_fds(client, 4096, 4)
print("welcome" if data[4] == 1 else "bye", flush=True)
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="becomes another user")
@pytest.mark.parametrize(
    ("mode_bits", "allow_groups", "groups", "answer"),
    [
        (0o660, (), "", "EACCES"),
        (0o666, (), "", "welcome"),
        (0o666, (4242,), "", "bye"),
        (0o666, (4242,), "4242", "welcome"),
        (0o666, (4242,), ",".join(map(str, range(3900, 4300))), "welcome"),
    ],
)
def test_who_may_subscribe(
    path: Path, mode_bits: int, allow_groups: tuple[int, ...], groups: str, answer: str
) -> None:
    let_others_in(path.parent)
    with (
        Publisher(
            path, mask_size=(8, 8), access=Access(mode_bits, groups=allow_groups)
        ) as publisher,
        process(AS_NOBODY, path, groups) as running,
    ):
        assert running.stdout is not None
        line = running.stdout.readline().strip()
        if line == "connected":
            publisher.heartbeat()
            line = running.stdout.readline().strip()
        assert line == answer


def test_clients_cannot_write_to_the_publisher(path: Path) -> None:
    with Publisher(path, mask_size=(8, 8)) as publisher, connect(path) as client:
        publisher.heartbeat()
        welcome_of(client)
        with pytest.raises(BrokenPipeError):
            client.send(b"x" * 256, socket.MSG_NOSIGNAL)
        publish(publisher)
        assert publisher.clients == 1


def test_a_client_that_reads_nothing_costs_the_others_nothing(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (
        Publisher(path, mask_size=(8, 8)) as publisher,
        connect(path) as deaf,
        connect(path) as other,
    ):
        publish(publisher)
        welcome_of(other)
        while not publisher.dropped:
            header_of(other)
            publish(publisher)
            assert publisher.sequence < 5000
        # Deep enough for a reader that polls once in two seconds at 60 Hz.
        assert publisher.sequence > 120
        header_of(other)
        publish(publisher)
        assert header_of(other).sequence == publisher.sequence
        assert publisher.clients == 2
        monkeypatch.setattr("roadmask.stream.publish.fanout._SLOW_NS", 0)
        publish(publisher)
        assert publisher.clients == 1
        assert welcome_of(deaf)


def test_a_client_that_leaves_is_forgotten(path: Path) -> None:
    with Publisher(path, mask_size=(8, 8)) as publisher:
        clients = [connect(path) for _ in range(5)]
        for _ in range(2):  # a few at a time
            publisher.heartbeat()
        assert publisher.clients == 5
        for client in clients:
            client.close()
        publish(publisher)
        assert publisher.clients == 0


def test_heartbeats_come_from_another_thread_while_a_frame_is_made(path: Path) -> None:
    with Publisher(path, mask_size=(8, 8)) as publisher, connect(path) as client:
        publisher.begin()
        other = threading.Thread(target=publisher.heartbeat)
        other.start()
        other.join()
        welcome_of(client)
        assert header_of(client).type == MessageType.STATUS
        assert publisher.publish(frame_info()) == 1
        assert header_of(client).sequence == 1
