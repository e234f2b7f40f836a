"""The C++ subscriber against the Python publisher: the same semantics as test_subscriber.py.

Its limits cannot be relaxed, so a test waits for what it expects, with the publisher at 60 Hz.
"""

from __future__ import annotations

import math
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from cpp_parts import Driven, driven, program
from stream_parts import process, publish, publisher_process, stop, wait_for

from roadmask.stream.modes import Flag, Mode, NoMask, Reason
from roadmask.stream.protocol import Identity
from roadmask.stream.publish.publisher import Access, Publisher, RingForm, StreamIdentity
from roadmask.system.clock import now_ns


class Client:
    """``probe``'s answers as values."""

    def __init__(self, running: Driven) -> None:
        self._running = running
        self.reason = NoMask.NONE
        self.text = ""
        self.check = "none"

    def ask(self, question: str) -> dict[str, str] | None:
        kind, _, rest = self._running.ask(question).partition(" ")
        if kind == "mask":
            return dict(pair.split("=", 1) for pair in rest.split())
        reason, self.check, self.text = rest.split(" ", 2)
        self.reason = NoMask(int(reason))
        return None

    def valid(self) -> bool:
        return self._running.ask("valid") == "1"

    def mask(self) -> dict[str, str]:
        found = wait_for(lambda: self.ask("receive 100"), "a mask")
        assert isinstance(found, dict)
        return found

    def refused(self, reason: NoMask) -> None:
        """Wait until ``latest`` gives no mask for this reason."""
        wait_for(lambda: self.ask("latest") is None and self.reason is reason, reason.name)


@contextmanager
def client(path: Path, *options: object) -> Iterator[Client]:
    with driven("probe", path, *options) as running:
        yield Client(running)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "masks.sock"


def while_publishing(publisher: Publisher, action: Callable[[], Any], **changes: Any) -> Any:
    """The first true value of ``action``, with a fresh frame before each try."""

    def attempt() -> Any:
        publish(publisher, publisher.sequence % 7, **changes)
        return action()

    return wait_for(attempt, "a mask")


def test_frames_arrive_whole_and_never_twice(path: Path) -> None:
    with publisher_process(path), client(path) as reader:
        seen = []
        for _ in range(5):
            mask = reader.mask()
            assert int(mask["value"]) == int(mask["sequence"]) % 7
            assert mask["uniform"] == "1" and int(mask["age_ns"]) >= 0
            assert (mask["width"], mask["height"], mask["mode"]) == ("64", "32", "OK")
            seen.append(int(mask["sequence"]))
        assert seen == sorted(set(seen))


def test_planes_and_identity(path: Path) -> None:
    identity = StreamIdentity(model=Identity("street-s", b"\1" * 32))
    with (
        Publisher(
            path,
            mask_size=(33, 17),
            form=RingForm(confidence=True, preview_size=(16, 8), checksum=True),
            identity=identity,
        ) as publisher,
        client(path, "--preview") as reader,
    ):
        mask = while_publishing(publisher, lambda: reader.ask("latest"))
        assert mask["confidence"] == mask["preview"] == mask["value"]
        assert mask["model"] == "street-s" and mask["uniform"] == "1"


def test_a_view_expires(path: Path) -> None:
    with Publisher(path, mask_size=(64, 32)) as publisher, client(path) as reader:
        wait_for(
            lambda: while_publishing(publisher, lambda: reader.ask("view")) and reader.valid(),
            "a valid view",
        )
        for _ in range(8):
            publish(publisher)
        assert not reader.valid()


@pytest.mark.parametrize("mode", [Mode.STALE, Mode.FAULT])
def test_no_mask_while_the_publisher_says_so(path: Path, mode: Mode) -> None:
    with Publisher(path, mask_size=(8, 8)) as publisher, client(path) as reader:
        while_publishing(publisher, lambda: reader.ask("latest"))

        def said() -> bool:
            publisher.set_mode(mode, Reason.CAMERA_LOST)
            return reader.ask("latest") is None and reader.reason.name == mode.name

        wait_for(said, mode.name)
        assert "CAMERA_LOST" in reader.text


def test_age_limits(path: Path) -> None:
    with Publisher(path, mask_size=(8, 8)) as publisher, client(path, "--max-age", 40) as reader:
        while_publishing(publisher, lambda: reader.ask("latest"))

        def too_old() -> bool:
            publish(publisher, capture_ns=now_ns() - 41_000_000)
            return reader.ask("latest") is None and reader.reason is NoMask.TOO_OLD

        wait_for(too_old, "too old")
        assert "allowed 40 ms" in reader.text


@pytest.mark.parametrize("flag", [Flag.REPLAY, Flag.SYNTHETIC, Flag.FILE])
def test_only_live_frames_unless_asked(path: Path, flag: Flag) -> None:
    with (
        Publisher(path, mask_size=(8, 8)) as publisher,
        client(path) as reader,
        client(path, "--allow-not-live") as console,
    ):
        while_publishing(publisher, lambda: console.ask("latest"), flags=flag)

        def refused() -> bool:
            publish(publisher, flags=flag)
            assert reader.ask("latest") is None
            return reader.reason is NoMask.NOT_LIVE

        wait_for(refused, "not live")
        assert flag.name is not None and flag.name in reader.text


def test_silence_is_noticed_while_the_publisher_hangs(path: Path) -> None:
    with publisher_process(path) as running, client(path) as reader:
        reader.mask()
        stop(running)
        reader.refused(NoMask.SILENT)
        running.send_signal(signal.SIGCONT)
        reader.mask()


def test_a_restarted_publisher_is_found(path: Path) -> None:
    with client(path) as reader:
        reader.refused(NoMask.NOT_CONNECTED)
        streams = set()
        for _ in range(3):
            with publisher_process(path) as running:
                streams.add(reader.mask()["stream"])
                running.kill()
                wait_for(lambda: reader.ask("latest") is None, "no mask")
        assert len(streams) == 3


def test_refusals_are_told(path: Path) -> None:
    with (
        Publisher(path, mask_size=(8, 8), access=Access(max_clients=0)) as publisher,
        client(path) as reader,
    ):

        def told() -> bool:
            publisher.heartbeat()
            return reader.ask("latest") is None and reader.reason is NoMask.NO_PLACE

        wait_for(told, "refused")
        assert "as many clients" in reader.text


@pytest.mark.parametrize("scale", [(0.0, 1.0), (1.0, math.nan), (math.inf, 1.0), (1.0, -1.0)])
def test_what_is_no_scale_gives_no_mask(path: Path, scale: tuple[float, float]) -> None:
    with Publisher(path, mask_size=(8, 8)) as publisher, client(path) as reader:

        def refused() -> bool:
            publish(publisher, scale=scale)
            reader.ask("latest")
            return reader.reason is NoMask.MALFORMED and reader.check == "transform"

        wait_for(refused, "transform")


# Patient, because on a loaded machine it may be late and must not refuse for that.
STEADY_READER = """
import sys
import roadmask.stream.subscribe.transport
from roadmask.stream.subscribe.subscriber import Subscriber
roadmask.stream.subscribe.transport.SILENCE_NS = 60_000_000_000
with Subscriber(sys.argv[1], max_age_ms=60_000) as subscriber:
    while (mask := subscriber.receive(timeout_s=30)) is not None:
        print(mask.sequence, flush=True)
"""


def test_readers_killed_at_random_cost_the_others_nothing(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """24 readers killed at various moments; who stays misses nothing, nor is disturbed."""
    monkeypatch.setattr("roadmask.stream.publish.messages.SILENCE_MS", 60_000)
    with (
        Publisher(path, mask_size=(64, 32), max_age_ms=60_000) as publisher,
        client(path) as cpp,
        process(STEADY_READER, path) as python,
    ):
        assert python.stdout is not None
        doomed = [Driven(program("probe"), str(path)) for _ in range(24)]
        while_publishing(publisher, lambda: cpp.ask("latest"))

        def seen_by_python() -> int:
            """The reader's next line, once it has caught up with the publisher."""
            assert python.stdout is not None
            while (sequence := int(python.stdout.readline())) < publisher.sequence:
                pass
            return sequence

        while_publishing(publisher, lambda: publisher.clients >= 2)
        while_publishing(publisher, seen_by_python)
        for number, reader in enumerate(doomed):
            assert reader.process.stdin is not None
            reader.process.stdin.write("receive 100\n" * 3)
            reader.process.stdin.flush()
            for _ in range(3):
                # In step: each frame is waited for, so a lost one would never come.
                publish(publisher)
                assert int(python.stdout.readline()) == publisher.sequence
            if number % 2:
                publisher.begin()
            reader.process.kill()
        assert while_publishing(publisher, lambda: cpp.ask("latest"))["uniform"] == "1"
        for reader in doomed:
            reader.close()

        def only_the_two() -> bool:
            publish(publisher)
            return publisher.clients == 2

        wait_for(only_the_two, "the dead are forgotten")
