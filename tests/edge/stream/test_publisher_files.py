"""A publisher's socket, lock and folder: kept its own, made again, told when that cannot be."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from stream_parts import (
    connect,
    header_of,
    process,
    publish,
    publisher_process,
    stop,
    wait_for,
    welcome_of,
)

from roadmask.errors import PublishError
from roadmask.stream.modes import MessageType, Reason
from roadmask.stream.publish import socket_file
from roadmask.stream.publish.heartbeat import Heart
from roadmask.stream.publish.publisher import Publisher
from roadmask.stream.subscribe.subscriber import Subscriber


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run" / "masks.sock"


def lock_of(path: Path) -> Path:
    return path.with_name(path.name + ".lock")


def remove_folder(path: Path) -> None:
    """At once, whoever makes files in it meanwhile."""
    gone = path.parent.with_name("gone")
    path.parent.rename(gone)
    shutil.rmtree(gone)


def replace_socket(path: Path) -> None:
    path.unlink()
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as dead:
        dead.bind(str(path))


GONE: dict[str, Callable[[Path], None]] = {
    "socket": Path.unlink,
    "lock": lambda path: lock_of(path).unlink(),
    "folder": remove_folder,
    "socket replaced": replace_socket,
    "lock replaced": lambda path: lock_of(path).unlink() or lock_of(path).touch(),
    "both": lambda path: path.unlink() or lock_of(path).unlink(),
}


@pytest.mark.parametrize("what", GONE)
def test_what_is_gone_is_made_again_in_the_same_stream(
    path: Path, what: str, caplog: pytest.LogCaptureFixture
) -> None:
    with Publisher(path, mask_size=(8, 8)) as publisher, connect(path) as before:
        publish(publisher)
        stream_id = welcome_of(before).stream_id
        header_of(before)
        GONE[what](path)
        publisher.heartbeat()
        assert "again" in caplog.text
        assert header_of(before).type == MessageType.STATUS  # it noticed nothing
        with connect(path) as after:
            publisher.heartbeat()
            assert welcome_of(after).stream_id == stream_id
            publish(publisher)
            assert header_of(after).sequence == 1 and publisher.clients == 2
        caplog.clear()
        publisher.heartbeat()
        assert not caplog.text
    assert list(path.parent.iterdir()) == []


def test_what_was_made_again_is_removed_after_a_kill_too(path: Path) -> None:
    with publisher_process(path) as running:
        path.unlink()
        lock_of(path).unlink()
        # That process has no heart; a frame does not stop to look. It is killed as it is.
        running.send_signal(signal.SIGKILL)
        wait_for(lambda: not list(path.parent.iterdir()), "nothing left")


def test_a_foreign_file_in_the_sockets_place_ends_the_stream_aloud(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with Publisher(path, mask_size=(8, 8)) as publisher, connect(path) as client:
        publisher.heartbeat()
        welcome_of(client)
        header_of(client)
        path.unlink()
        path.write_text("mine")
        with pytest.raises(PublishError, match="no socket but a file"):
            publisher.heartbeat()
        assert header_of(client).reasons == Reason.SHUTDOWN
        assert "the stream ends" in caplog.text
        publisher.begin()
        with pytest.raises(PublishError, match="no socket but a file"):
            publish(publisher)
    assert path.read_text() == "mine"


def test_without_its_lock_a_publisher_still_keeps_a_second_one_away(path: Path) -> None:
    with Publisher(path, mask_size=(8, 8)) as publisher:
        lock_of(path).unlink()
        with pytest.raises(PublishError, match=f"in use by process {os.getpid()}"):
            Publisher(path, mask_size=(8, 8))
        publisher.heartbeat()
        with connect(path) as client:
            publisher.heartbeat()
            assert welcome_of(client).stream_id == publisher.stream_id


def test_a_successor_that_took_all_ends_the_stream(path: Path) -> None:
    """Whatever happened to the files: one stream is at the path, and the other one says so."""
    with Publisher(path, mask_size=(8, 8)) as former, Heart(former):
        remove_folder(path)
        try:
            successor = Publisher(path, mask_size=(8, 8))
        except PublishError:  # the heart was faster
            return
        with successor:

            def ended() -> bool:
                try:
                    former.check()
                except PublishError:
                    return True
                return False

            wait_for(ended, "the former stream has ended")
            with Subscriber(path, max_age_ms=60_000) as subscriber:

                def received() -> bool:
                    publish(successor)
                    return subscriber.latest() is not None

                wait_for(received, "a mask of the successor")
            assert path.exists()


def test_a_stopped_publishers_janitor_leaves_its_successor_alone(path: Path) -> None:
    with publisher_process(path) as stopped:
        stop(stopped)
        path.unlink()
        lock_of(path).unlink()
        with Publisher(path, mask_size=(8, 8)) as successor:
            children = Path(f"/proc/{stopped.pid}/task/{stopped.pid}/children").read_text().split()
            stopped.kill()
            for child in children:
                wait_for(lambda pid=child: not is_running(int(pid)), "the janitor has ended")
            with connect(path) as client:
                successor.heartbeat()
                assert welcome_of(client).stream_id == successor.stream_id
            assert lock_of(path).exists()


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_to_every_process_leaves_nothing_behind(path: Path, number: int) -> None:
    """A service manager signals the whole group: the janitor has to outlive its owner."""
    with publisher_process(path) as running:
        children = Path(f"/proc/{running.pid}/task/{running.pid}/children").read_text().split()
        assert children
        for pid in children:
            os.kill(int(pid), number)
        running.kill()
        wait_for(lambda: not list(path.parent.iterdir()), "nothing left")


def test_a_janitor_that_was_killed_is_replaced(path: Path) -> None:
    with Publisher(path, mask_size=(8, 8)) as publisher:
        janitor = publisher._listener.files._janitor._process
        assert janitor is not None
        janitor.kill()
        wait_for(lambda: not is_running(janitor.pid), "dead")
        publisher.heartbeat()
        assert publisher._listener.files._janitor._process.pid != janitor.pid  # type: ignore[union-attr]


DAEMON = """
import sys, threading
from roadmask.system.command_line import stop_on_signal
from roadmask.stream.publish.publisher import Publisher
from roadmask.stream.publish.heartbeat import Heart
stop = stop_on_signal()
with Publisher(sys.argv[1], mask_size=(8, 8)) as publisher, Heart(publisher):
    print("up", flush=True)
    stop.wait()
"""


def test_sighup_ends_nothing_and_sigterm_says_bye(path: Path) -> None:
    with process(DAEMON, path) as running:
        assert running.stdout is not None and running.stdout.readline() == "up\n"
        with connect(path) as client:
            welcome_of(client)
            running.send_signal(signal.SIGHUP)
            for _ in range(4):
                assert header_of(client).type == MessageType.STATUS
            running.send_signal(signal.SIGTERM)
            while (message := header_of(client)).type == MessageType.STATUS:
                pass
            assert (message.type, message.reasons) == (MessageType.BYE, Reason.SHUTDOWN)
        assert running.wait(30) == 0
    assert list(path.parent.iterdir()) == []


def test_nohup_is_obeyed() -> None:
    script = (
        "import signal; signal.signal(signal.SIGHUP, signal.SIG_IGN)\n"
        "from roadmask.system.command_line import stop_on_signal; stop_on_signal()\n"
        "assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def refusal(path: Path) -> str:
    with pytest.raises(PublishError) as error:
        Publisher(path, mask_size=(8, 8))
    return str(error.value)


def test_each_unusable_path_has_its_own_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket_file, "_LOCK_WAIT_S", 0.05)
    long = tmp_path / ("x" * (107 - len(os.fsencode(tmp_path))))
    assert "has 108 bytes, longer than 107 bytes" in refusal(long)
    assert f"is a folder: give a file in it, as {tmp_path}/m.sock" in refusal(tmp_path)
    file = tmp_path / "file"
    file.write_text("mine")
    assert "is no socket but a file: remove it" in refusal(file)
    assert file.read_text() == "mine"
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    assert "is no socket but a special file" in refusal(fifo)
    assert "Not a directory" in refusal(file / "m.sock")
    assert "holds a NUL" in refusal(tmp_path / "a\0b")
    path = tmp_path / "m.sock"
    with publisher_process(path) as running:
        assert f"in use by process {running.pid}: stop it" in refusal(path)
        stop(running)
        said = refusal(path)
        assert f"process {running.pid}, which is stopped: let it go on (kill -CONT" in said


def test_a_path_of_107_bytes_can_be_used(tmp_path: Path) -> None:
    path = tmp_path / ("x" * (106 - len(os.fsencode(tmp_path))))
    assert len(os.fsencode(path)) == 107
    with Publisher(path, mask_size=(8, 8)), connect(path):
        pass


def test_a_publisher_ends_while_its_heart_beats(path: Path) -> None:
    """Neither waits for ever for the other."""
    for _ in range(10):
        with Publisher(path, mask_size=(8, 8)) as publisher, Heart(publisher):
            threads = [threading.Thread(target=publisher.attend) for _ in range(3)]
            for thread in threads:
                thread.start()
            publish(publisher)
            for thread in threads:
                thread.join(30)
                assert not thread.is_alive()
