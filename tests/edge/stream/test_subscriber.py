from __future__ import annotations

import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from stream_parts import (
    PATIENCE_S,
    let_silence_be,
    process,
    publish,
    publisher_process,
    stop,
    wait_for,
)

from roadmask.errors import ProtocolError
from roadmask.stream.modes import Flag, Mode, NoMask, Reason
from roadmask.stream.protocol import Identity, IdentityKind, decode_header, encode
from roadmask.stream.publish.publisher import Access, Publisher, RingForm, StreamIdentity
from roadmask.stream.subscribe.subscriber import Subscriber
from roadmask.system.clock import now_ns

LONG_MS = 60_000.0  # an age that no test reaches, where age is not what it is about


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "masks.sock"


@pytest.fixture
def publisher(path: Path) -> Iterator[Publisher]:
    with Publisher(path, mask_size=(64, 32), max_age_ms=60_000) as publisher:
        yield publisher


@pytest.fixture
def subscriber(path: Path) -> Iterator[Subscriber]:
    with Subscriber(path, max_age_ms=LONG_MS) as subscriber:
        subscriber.latest()
        yield subscriber


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a loaded machine, the limits are for the tests that are about them."""
    let_silence_be(monkeypatch)


def test_latest_gives_the_newest_and_may_repeat_it(
    publisher: Publisher, subscriber: Subscriber
) -> None:
    for value in (1, 2, 3):
        publish(publisher, value, frame_id=value + 100)
    mask = subscriber.latest()
    assert mask is not None
    assert (mask.sequence, mask.frame_id, mask.size) == (3, 103, (64, 32))
    assert mask.pixels.shape == (32, 64) and mask.pixels.dtype == np.uint8
    assert (mask.pixels == 3).all() and mask.pixels.flags.writeable
    assert mask.capture_timestamp_ns <= mask.publish_timestamp_ns <= now_ns()
    assert mask.valid and mask.live and mask.age_ms >= 0
    assert subscriber.reason is NoMask.NONE
    again = subscriber.latest()
    assert again is not None and again.sequence == 3


def test_receive_never_repeats(publisher: Publisher, subscriber: Subscriber) -> None:
    publish(publisher)
    first = subscriber.receive(timeout_s=PATIENCE_S)
    assert first is not None and first.sequence == 1
    assert subscriber.receive(timeout_s=0) is None
    assert subscriber.reason is NoMask.NO_NEW_FRAME
    for _ in range(3):
        publish(publisher)
    newest = subscriber.receive(timeout_s=PATIENCE_S)
    assert newest is not None and newest.sequence == 4
    assert subscriber.dropped == 2


def test_a_wait_holds_up_no_other_thread(publisher: Publisher, subscriber: Subscriber) -> None:
    publish(publisher)
    assert subscriber.receive(timeout_s=0) is not None
    later = threading.Timer(0.05, publish, (publisher, 2))
    later.start()
    mask = subscriber.receive(timeout_s=PATIENCE_S)
    later.join()
    assert mask is not None and mask.sequence == 2


def test_a_look_waits_once(
    publisher: Publisher, subscriber: Subscriber, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second wait would hold the frame back that ended the first, until the next comes."""
    publish(publisher)
    assert subscriber.receive(timeout_s=PATIENCE_S) is not None
    waits, await_news = [], subscriber._connection.await_news

    def counted(wait_ns: int) -> None:
        waits.append(wait_ns)
        await_news(wait_ns)

    monkeypatch.setattr(subscriber._connection, "await_news", counted)
    publish(publisher, 2)
    assert subscriber.receive(timeout_s=PATIENCE_S) is not None
    assert len(waits) == 1


WAITING = """
import signal, sys
from roadmask.stream.subscribe.subscriber import Subscriber
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it
with Subscriber(sys.argv[1]) as subscriber:
    try:
        subscriber.receive(timeout_s=30)
        print("caught up", flush=True)
        subscriber.receive()
    except KeyboardInterrupt:
        print("interrupted", flush=True)
"""


def test_a_wait_ends_with_ctrl_c(publisher: Publisher, path: Path) -> None:
    with process(WAITING, path) as waiting:
        assert waiting.stdout is not None
        said = waiting.stdout

        def caught_up() -> bool:
            publish(publisher)
            return bool(select.select([said], [], [], 0.01)[0])

        wait_for(caught_up, "its first mask")
        assert said.readline() == "caught up\n"
        waiting.send_signal(signal.SIGINT)
        assert said.readline() == "interrupted\n"


def test_the_iterator_ends_when_the_publisher_does(path: Path) -> None:
    with (
        publisher_process(path) as running,
        Subscriber(path, reconnect=False) as subscriber,
    ):
        seen = []
        for mask in subscriber:
            assert (mask.pixels == mask.sequence % 7).all()
            seen.append(mask.sequence)
            if len(seen) == 5:
                running.kill()
        assert seen == sorted(set(seen))
        assert subscriber.reason is NoMask.CONNECTION_LOST


def test_planes_and_identity(path: Path) -> None:
    identity = StreamIdentity(
        model=Identity("street-s", b"\1" * 32), labels=Identity("cityscapes-8", b"\2" * 32)
    )
    with (
        Publisher(
            path,
            mask_size=(64, 32),
            form=RingForm(confidence=True, preview_size=(16, 8), checksum=True),
            identity=identity,
            max_age_ms=60_000,
        ) as publisher,
        Subscriber(path, preview=True, max_age_ms=LONG_MS) as subscriber,
    ):
        subscriber.latest()
        publish(publisher, 6, scale=(2.5, 2.0), offset=(1.0, -4.0), counts=(0, 1, 0, 0, 1, 0, 0, 0))
        mask = subscriber.latest()
        assert mask is not None and mask.confidence is not None and mask.preview is not None
        assert mask.header.crc32c
        assert mask.confidence.shape == (32, 64) and (mask.confidence == 6).all()
        assert mask.preview.shape == (8, 16, 3) and (mask.preview == 6).all()
        assert (mask.scale, mask.offset, mask.camera_size) == ((2.5, 2.0), (1.0, -4.0), (1280, 720))
        assert mask.shares[1] == pytest.approx(0.5, abs=1e-4)
        assert mask.model == identity.model and mask.labels == identity.labels
        assert mask.camera == Identity("unknown")
        number = publisher.add_identity(IdentityKind.MODEL, Identity("street-m"))
        publish(publisher, identity=(number, 1, 2, 255, 4, 5, 6))
        swapped = subscriber.latest()
        assert swapped is not None and swapped.labels is None
        assert swapped.model == Identity("street-m")


def test_a_view_expires_by_overwriting(publisher: Publisher, subscriber: Subscriber) -> None:
    publish(publisher, 1)
    view = subscriber.latest(copy=False)
    assert view is not None and view.valid
    assert (view.pixels == 1).all() and not view.pixels.flags.writeable
    for _ in range(7):
        publish(publisher)
    assert view.valid
    publisher.begin()  # the eighth takes its slot
    assert not view.valid


def test_a_view_and_a_copy_expire_by_age(publisher: Publisher, subscriber: Subscriber) -> None:
    publish(publisher)
    view, copy = subscriber.latest(copy=False), subscriber.latest()
    assert view is not None and copy is not None
    view.limit_ns = copy.limit_ns = 0
    assert not view.valid and not copy.valid


def test_no_frame_older_than_allowed(publisher: Publisher, subscriber: Subscriber) -> None:
    publish(publisher, capture_ns=now_ns() - 100_000_000)
    assert subscriber.latest(max_age_ms=99) is None
    assert subscriber.reason is NoMask.TOO_OLD
    assert "allowed 99 ms" in subscriber.reason_text
    assert subscriber.latest() is not None


def test_the_publishers_limit_holds_too(path: Path) -> None:
    with (
        Publisher(path, mask_size=(8, 8), max_age_ms=50) as publisher,
        Subscriber(path, max_age_ms=LONG_MS) as subscriber,
    ):
        subscriber.latest()
        publish(publisher, capture_ns=now_ns() - 51_000_000)
        assert subscriber.latest() is None
        assert subscriber.reason is NoMask.TOO_OLD


def test_any_limit_is_taken(publisher: Publisher, subscriber: Subscriber) -> None:
    publish(publisher)
    assert subscriber.latest(max_age_ms=float("inf")) is not None
    for limit in (0, -1, float("-inf")):
        assert subscriber.latest(max_age_ms=limit) is None
        assert subscriber.reason is NoMask.TOO_OLD


def test_a_future_stamp_never_becomes_fresh(publisher: Publisher, subscriber: Subscriber) -> None:
    publish(publisher)
    assert subscriber.latest() is not None
    send, stamp = publisher._fanout.send, 0

    def send_from_the_future(message: bytes, now: int) -> None:
        nonlocal stamp
        header = decode_header(message)
        stamp = header.publish_ns + 20_000_000
        send(encode(header._replace(capture_ns=stamp)), now)

    # Past the publisher's own guard, as a foreign publisher might send it.
    publisher._fanout.send = send_from_the_future  # type: ignore[method-assign,assignment]
    publish(publisher)
    wait_for(lambda: now_ns() > stamp, "the stamp is in the past")
    assert subscriber.latest() is None
    assert subscriber.reason is NoMask.FUTURE


@pytest.mark.parametrize("mode", [Mode.STALE, Mode.FAULT])
def test_no_mask_while_the_publisher_says_so(
    publisher: Publisher, subscriber: Subscriber, mode: Mode
) -> None:
    publish(publisher, mode=Mode.DEGRADED, reasons=Reason.THERMAL)
    mask = subscriber.latest()
    assert mask is not None and mask.reasons == Reason.THERMAL
    publisher.set_mode(mode, Reason.CAMERA_LOST)
    assert subscriber.latest() is None
    assert subscriber.reason.name == mode.name
    assert "CAMERA_LOST" in subscriber.reason_text
    publish(publisher)
    assert subscriber.latest() is not None


@pytest.mark.parametrize("flag", [Flag.REPLAY, Flag.SYNTHETIC, Flag.FILE])
def test_only_live_frames_unless_asked(
    publisher: Publisher, subscriber: Subscriber, path: Path, flag: Flag
) -> None:
    with Subscriber(path, allow_not_live=True, max_age_ms=LONG_MS) as console:
        console.latest()
        publish(publisher, flags=flag)
        assert subscriber.latest() is None
        assert subscriber.reason is NoMask.NOT_LIVE
        mask = console.latest()
        assert mask is not None and not mask.live and mask.flags & flag


def test_a_lapped_reader_gets_nothing_torn(publisher: Publisher, subscriber: Subscriber) -> None:
    publish(publisher)
    connection = subscriber._connection
    connection.pump()
    publisher._fanout.send = lambda *_: None  # type: ignore[method-assign]  # pixels, no news
    for _ in range(8):
        publish(publisher)
    assert subscriber.latest() is None
    assert subscriber.reason is NoMask.OVERWRITTEN


def test_a_wrong_checksum_is_noticed(path: Path) -> None:
    with (
        Publisher(
            path, mask_size=(8, 8), max_age_ms=60_000, form=RingForm(checksum=True)
        ) as publisher,
        Subscriber(path, max_age_ms=LONG_MS) as subscriber,
    ):
        subscriber.latest()
        publish(publisher)
        publisher._memory[publisher._slots[1].start] ^= 1
        assert subscriber.latest() is None
        assert subscriber.reason is NoMask.MALFORMED
        assert "CRC" in subscriber.reason_text


def test_silence_is_noticed_while_the_publisher_hangs(path: Path) -> None:
    with publisher_process(path) as running, Subscriber(path) as subscriber:
        wait_for(subscriber.latest, "a mask")
        stop(running)
        wait_for(lambda: subscriber.latest() is None, "no mask")
        wait_for(
            lambda: subscriber.latest() is None and subscriber.reason is NoMask.SILENT, "silent"
        )
        assert subscriber.connected
        running.send_signal(signal.SIGCONT)
        mask = wait_for(subscriber.latest, "a mask")
        assert mask.age_ms >= 0


def test_a_restarted_publisher_is_found(path: Path) -> None:
    with Subscriber(path) as subscriber:
        assert subscriber.latest() is None
        assert subscriber.reason is NoMask.NOT_CONNECTED
        streams = set()
        for _ in range(3):
            with publisher_process(path) as running:
                mask = wait_for(lambda: subscriber.receive(timeout_s=0.1), "a mask")
                streams.add(mask.stream_id)
                running.kill()
                wait_for(lambda: subscriber.latest() is None, "no mask")
        assert len(streams) == 3


def test_bye_ends_the_stream_at_once(path: Path, subscriber: Subscriber) -> None:
    with Publisher(path, mask_size=(8, 8), max_age_ms=60_000) as publisher:
        wait_for(lambda: subscriber.latest() is None and subscriber.fileno() >= 0, "connection")
        publish(publisher)
        assert subscriber.latest() is not None
    assert subscriber.latest() is None
    assert subscriber.reason is NoMask.CLOSED
    assert "BYE" in subscriber.reason_text


def test_who_is_not_allowed_is_told(path: Path) -> None:
    with (
        Publisher(path, mask_size=(8, 8), access=Access(max_clients=0)) as publisher,
        Subscriber(path) as subscriber,
    ):
        subscriber.latest()
        publisher.heartbeat()
        assert subscriber.latest() is None
        assert subscriber.reason is NoMask.NO_PLACE
        assert "as many clients" in subscriber.reason_text


def test_a_stream_socket_is_no_publisher(path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as other:
        other.bind(str(path))
        other.listen()
        with Subscriber(path) as subscriber:
            assert subscriber.latest() is None
            assert subscriber.reason is NoMask.MALFORMED
            assert subscriber.error is not None and subscriber.error.check == "socket"
        with Subscriber(path, reconnect=False) as strict, pytest.raises(ProtocolError):
            strict.receive()


def test_copies_survive_the_end_of_the_stream(path: Path, subscriber: Subscriber) -> None:
    with Publisher(path, mask_size=(8, 8), max_age_ms=60_000) as publisher:
        wait_for(lambda: subscriber.latest() is None and subscriber.fileno() >= 0, "connection")
        publish(publisher, 5)
        copy, view = subscriber.latest(), subscriber.latest(copy=False)
    subscriber.close()
    assert copy is not None and (copy.pixels == 5).all()
    assert view is not None and (view.pixels == 5).all() and view.model is not None
    assert subscriber.latest() is None
    assert subscriber.reason is NoMask.CLOSED


def test_the_client_imports_neither_opencv_nor_litert() -> None:
    script = (
        "import sys, roadmask.stream.subscribe.subscriber\n"
        "import roadmask.stream.subscribe.async_subscriber\n"
        "heavy = {'cv2', 'ai_edge_litert', 'tensorflow', 'keras'} & set(sys.modules)\n"
        "sys.exit(str(heavy) if heavy else 0)"
    )
    path = ":".join(filter(None, sys.path))
    subprocess.run([sys.executable, "-c", script], check=True, env={"PYTHONPATH": path})
