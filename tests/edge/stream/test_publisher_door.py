"""Who is let in, how many at a time, and what floods, quotas and missing descriptors do."""

from __future__ import annotations

import errno
import gc
import logging
import os
import resource
import socket
import stat
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pytest
from stream_parts import connect, header_of, let_others_in, process, publish, welcome_of

from roadmask._native import accept_living
from roadmask.errors import PublishError
from roadmask.stream.modes import Mode, Reason
from roadmask.stream.publish import listener
from roadmask.stream.publish.access import Access, AllowList, Guest
from roadmask.stream.publish.publisher import Publisher

ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="becomes another user")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    let_others_in(tmp_path)
    return tmp_path / "masks.sock"


def test_a_turn_lets_in_a_few_whoever_waits(path: Path) -> None:
    with Publisher(path, mask_size=(8, 8)) as publisher, ExitStack() as stack:
        clients = [stack.enter_context(connect(path)) for _ in range(11)]
        publish(publisher)
        assert publisher.clients == listener.PER_FRAME == 2
        publisher.heartbeat()
        assert publisher.clients == 2 + listener.PER_TURN == 6
        for _ in range(3):
            publish(publisher)
        assert publisher.clients == 11
        for client in clients:
            welcome_of(client)


def test_those_that_hung_up_cost_a_newcomer_nothing(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The queue is full of the dead of a flood; a turn closes them, and finds who lives."""
    tried: list[int] = []

    def counted(listening: int, most: int) -> int:
        tried.append(most)
        return accept_living(listening, most)

    monkeypatch.setattr(listener, "accept_living", counted)
    with Publisher(path, mask_size=(8, 8)) as publisher:
        for _ in range(15):
            connect(path).close()
        with connect(path) as alive:
            publish(publisher)
            assert publisher.clients == 1
            welcome_of(alive)
        for _ in range(60):
            connect(path).close()
        tried.clear()
        publish(publisher)
        # However many wait: so many calls, of so many each.
        assert len(tried) <= listener.PER_TURN and sum(tried) <= 64
        assert publisher.clients == 0


def test_the_lock_is_not_held_while_somebody_is_let_in(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Publisher(path, mask_size=(8, 8)) as publisher, connect(path) as client:
        look_at = AllowList.look_at

        def busy(self: AllowList, peer: socket.socket) -> Guest:
            publish(publisher)  # would wait for ever for a lock that the door holds
            return look_at(self, peer)

        monkeypatch.setattr(AllowList, "look_at", busy)
        publisher.heartbeat()
        assert (publisher.sequence, publisher.clients) == (1, 1)
        assert welcome_of(client).sequence == 0
        assert header_of(client).sequence == 1


def test_who_comes_while_the_stream_is_at_fault_is_told_at_once(path: Path) -> None:
    with Publisher(path, mask_size=(8, 8)) as publisher:
        publish(publisher)
        publisher.set_mode(Mode.FAULT, Reason.CAMERA_LOST)
        with connect(path) as client:
            publisher.attend()
            welcome_of(client)
            assert header_of(client).mode is Mode.OK  # of the last frame, which is
            assert header_of(client).mode is Mode.FAULT  # followed by what holds now


def guests(uid: int, count: int, *, listed: bool = False) -> list[Guest]:
    return [Guest(uid, allowed=True, listed=listed)] * count


@pytest.mark.parametrize(
    ("newcomer", "present", "reason"),
    [
        (Guest(7, False, False), [], Reason.NOT_ALLOWED),
        (Guest(7, True, False), guests(7, 15), Reason.NONE),
        (Guest(7, True, False), guests(7, 16), Reason.TOO_MANY_CLIENTS),  # one user's places
        (Guest(8, True, False), guests(7, 16), Reason.NONE),
        (Guest(9, True, False), guests(7, 16) + guests(8, 8), Reason.TOO_MANY_CLIENTS),
        (Guest(4, True, True), guests(7, 16) + guests(8, 8), Reason.NONE),  # the reserved ones
        (Guest(9, True, False), guests(7, 16) + guests(4, 8, listed=True), Reason.NONE),
        (Guest(4, True, True), guests(7, 24) + guests(5, 8, listed=True), Reason.TOO_MANY_CLIENTS),
        (Guest(9, True, False), guests(4, 32, listed=True), Reason.TOO_MANY_CLIENTS),
    ],
)
def test_places(newcomer: Guest, present: list[Guest], reason: Reason) -> None:
    assert AllowList(Access(users=(4, 5))).reason_against(newcomer, present) == reason


AS_USER = """
import os, socket, sys
uid = int(sys.argv[2])
os.setgroups([int(g) for g in sys.argv[4:]]); os.setgid(uid); os.setuid(uid)
kept = []
for _ in range(int(sys.argv[3])):
    client = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    try:
        client.connect(sys.argv[1])
    except PermissionError:
        print("EACCES", flush=True); sys.exit()
    kept.append(client)
print("connected", flush=True)
welcomed = sum(client.recv(4096)[4] == 1 for client in kept)
print(welcomed, flush=True)
sys.stdin.read()
"""


def line(running: Any) -> str:
    return str(running.stdout.readline().strip())


@ROOT
def test_one_user_cannot_take_every_place(path: Path) -> None:
    access = Access(0o666)
    with (
        Publisher(path, mask_size=(8, 8), access=access) as publisher,
        process(AS_USER, path, 4001, 32) as greedy,
    ):
        assert line(greedy) == "connected"
        for _ in range(8):
            publisher.heartbeat()
        assert line(greedy) == "16"
        with process(AS_USER, path, 4002, 1) as other:
            assert line(other) == "connected"
            publisher.heartbeat()
            assert line(other) == "1"


@ROOT
def test_the_sockets_group_lets_the_listed_in_under_any_umask(tmp_path: Path) -> None:
    let_others_in(tmp_path)
    path = tmp_path / "run" / "masks.sock"
    access = Access(groups=(4242,), group=4242)
    former = os.umask(0o077)
    try:
        with Publisher(path, mask_size=(8, 8), access=access) as publisher:
            for made, mode in ((path, 0o660), (path.parent, 0o750)):
                assert stat.S_IMODE(made.stat().st_mode) == mode
                assert made.stat().st_gid == 4242
            with process(AS_USER, path, 4001, 1, 4242) as member:
                assert line(member) == "connected"
                publisher.heartbeat()
                assert line(member) == "1"
            with process(AS_USER, path, 4001, 1) as stranger:
                assert line(stranger) == "EACCES"
    finally:
        os.umask(former)


def test_a_list_that_the_modes_keep_out_is_warned_of(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with Publisher(path, mask_size=(8, 8), access=Access(groups=(4242,))):
        pass
    assert "group 4242 is on the allow-list and cannot reach" in caplog.text
    assert "socket_group" in caplog.text
    caplog.clear()
    with Publisher(path, mask_size=(8, 8), access=Access(0o666, groups=(4242,))):
        pass
    assert not caplog.text
    with pytest.raises(PublishError, match="group 'no-such' does not exist"):
        Publisher(path, mask_size=(8, 8), access=Access(group="no-such"))


def test_without_a_descriptor_the_newcomer_and_the_log_are_told(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with (
        Publisher(path, mask_size=(8, 8)) as publisher,
        connect(path) as client,
        ExitStack() as stack,
        caplog.at_level(logging.ERROR),
    ):
        gc.collect()  # what earlier tests left would make room when it goes
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        used = max(int(name) for name in os.listdir("/proc/self/fd"))  # noqa: PTH208
        resource.setrlimit(resource.RLIMIT_NOFILE, (used + 8, hard))
        try:
            with suppress(OSError):
                while True:
                    stack.callback(os.close, os.open("/dev/null", os.O_RDONLY))
            publisher.heartbeat()
            publisher.heartbeat()
        finally:
            stack.close()
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        assert header_of(client).reasons == Reason.TOO_MANY_CLIENTS
        assert caplog.text.count("Too many open files; raise the limit") == 1
        with connect(path) as again:
            publisher.heartbeat()
            welcome_of(again)


def test_without_proc_the_log_says_what_is_missing(
    path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It advised to raise the limit of open files; a root whose /proc was a loop let nobody in."""

    def looping(fd: int) -> int:
        raise OSError(errno.ELOOP, "")

    monkeypatch.setattr(listener.ring, "open_read_only", looping)
    with Publisher(path, mask_size=(8, 8)) as publisher, connect(path), caplog.at_level(40):
        publisher.heartbeat()
    assert "Too many levels of symbolic links; the daemon needs /proc mounted" in caplog.text
    assert "limit of open files" not in caplog.text


RING_AS_OWNER = """
import os, sys
from roadmask.stream import ring
os.setgid(4001); os.setuid(4001)
fd, memory = ring.create(4096)
os.fchmod(ring.open_read_only(fd), 0)  # what a subscriber of the same user can do
os.close(ring.open_read_only(fd))
print("opened", flush=True)
"""


@ROOT
def test_a_subscriber_of_our_user_cannot_close_the_ring_to_others() -> None:
    with process(RING_AS_OWNER) as owner:
        assert line(owner) == "opened"
