"""Both clients against publishers that break the protocol: each names the check, and lives on."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest
from cpp_parts import driven
from message_parts import FRAME, WELCOME
from stream_parts import wait_for

from roadmask._native import ring_commit
from roadmask.stream.modes import NoMask
from roadmask.stream.protocol import encode
from roadmask.stream.ring import GENERATION_STRIDE
from roadmask.stream.subscribe.subscriber import Subscriber
from roadmask.system.clock import now_ns
from roadmask.testing.raw_publisher import (
    LAYOUT,
    RawPublisher,
    Record,
    Sendable,
    good_frame,
    good_status,
    good_welcome,
)

Ask = Callable[[], tuple[NoMask, str]]
T = TypeVar("T")


@pytest.fixture
def publisher(tmp_path: Path) -> Iterator[RawPublisher]:
    hostile = RawPublisher(tmp_path / "masks.sock")
    yield hostile
    hostile.close()


@pytest.fixture(params=["python", "cpp"])
def ask(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Ask]:
    """Asks a client for its newest mask, which it must not have: (reason, check)."""
    path = tmp_path / "masks.sock"
    if request.param == "python":
        with Subscriber(path) as subscriber:

            def of_python() -> tuple[NoMask, str]:
                assert subscriber.latest() is None
                return subscriber.reason, subscriber.error.check if subscriber.error else "none"

            yield of_python
        return
    with driven("probe", path) as running:

        def of_cpp() -> tuple[NoMask, str]:
            kind, reason, check, *_ = running.ask("latest").split(" ")
            assert kind == "none"
            return NoMask(int(reason)), check

        yield of_cpp


def expect(publisher: RawPublisher, ask: Ask, check: str, *messages: Sendable) -> None:
    """The client names the check, again after it has reconnected."""
    for _ in range(2):

        def named() -> bool:
            ready = [m() if callable(m) else m for m in messages]
            publisher.serve(*ready)
            return ask() == (NoMask.MALFORMED, check)

        wait_for(named, f"check {check}")
        wait_for(lambda: ask()[0] is not NoMask.MALFORMED, "another try")


@pytest.mark.parametrize(
    ("check", "data"),
    [
        ("size", b"hello"),
        ("magic", b"HTTP/1.1 400 Bad Request" + bytes(300)),
        ("version", encode(WELCOME._replace(major=2))),
        ("welcome", encode(FRAME)),
        ("welcome", encode(WELCOME._replace(type=99))),
        ("descriptor", encode(WELCOME)),
    ],
)
def test_a_socket_that_is_not_ours(
    publisher: RawPublisher, ask: Ask, check: str, data: bytes
) -> None:
    expect(publisher, ask, check, (data, []))


def test_descriptors(publisher: RawPublisher, ask: Ask) -> None:
    data = encode(good_welcome())
    expect(publisher, ask, "descriptor", (data, [publisher.sealed, publisher.sealed]))
    expect(publisher, ask, "seals", (data, [publisher.unsealed]))
    read_end, write_end = os.pipe()
    expect(publisher, ask, "seals", (data, [read_end]))
    os.close(read_end)
    os.close(write_end)


@pytest.mark.parametrize(
    ("check", "changes"),
    [
        ("ring_size", {"ring_bytes": LAYOUT.ring_bytes + 1}),
        ("ring_layout", {"slots": 9}),
        ("ring_layout", {"generation_offset": 1 << 63}),
        ("limits", {"silence_ms": 0}),
        ("stream_id", {"stream_id": 0}),
        ("clock", {"time_namespace": 12345}),
    ],
)
def test_rings(publisher: RawPublisher, ask: Ask, check: str, changes: dict[str, int]) -> None:
    welcome = good_welcome(**changes)
    expect(publisher, ask, check, (encode(welcome), [publisher.sealed]))


@pytest.mark.parametrize(
    ("check", "changes"),
    [
        ("stream_id", {"stream_id": 77}),
        ("sequence", {"sequence": 41}),
        ("sequence", {"sequence": 0}),
        ("clock", {"sent_ns": 1 << 62}),
        ("clock", {"publish_ns": 1 << 62, "sent_ns": 1 << 62}),
        ("slot", {"slot": 8}),
        ("mask_size", {"mask_width": 0}),
        ("mask_bounds", {"mask_height": 4096}),
        ("mask_bounds", {"mask_offset": LAYOUT.ring_bytes - 1}),
        ("confidence_bounds", {"confidence_offset": 8}),
        ("preview_bounds", {"preview_stride": 1}),
        ("transform", {"scale_x": float("nan")}),
        ("camera_size", {"camera_width": 0}),
        ("identity", {"camera": 100}),
        ("limits", {"max_age_ms": 0}),
    ],
)
def test_frames(publisher: RawPublisher, ask: Ask, check: str, changes: dict[str, float]) -> None:
    def frame() -> Record:
        return encode(good_frame(**changes)), []

    expect(publisher, ask, check, (encode(good_welcome()), [publisher.sealed]), frame)


def test_a_frame_that_was_never_written(publisher: RawPublisher, ask: Ask) -> None:
    """A well-formed header whose slot holds another generation gives nothing."""

    def said() -> bool:
        publisher.serve((encode(good_welcome()), [publisher.sealed]), (encode(good_frame()), []))
        return ask()[0] is NoMask.OVERWRITTEN

    wait_for(said, "overwritten")


def test_a_mask_of_other_bytes_than_its_checksum(publisher: RawPublisher, ask: Ask) -> None:
    """The stream goes on; the check has its name in both clients."""
    frame = good_frame()
    ring_commit(publisher.memory, frame.slot * GENERATION_STRIDE, frame.sequence)

    def said() -> bool:
        frame = encode(good_frame(crc32c=1))
        publisher.serve((encode(good_welcome()), [publisher.sealed]), (frame, []))
        return ask() == (NoMask.MALFORMED, "crc")

    wait_for(said, "the checksum differs")


def test_an_id_that_is_no_category(publisher: RawPublisher, ask: Ask) -> None:
    """One of 131,072 pixels: the mask is refused by name, and the stream goes on."""
    frame = good_frame()
    ring_commit(publisher.memory, frame.slot * GENERATION_STRIDE, frame.sequence)
    last = frame.mask_offset + frame.mask_stride * frame.mask_height - 1
    publisher.memory[last] = 8

    def said() -> bool:
        welcome = (encode(good_welcome()), [publisher.sealed])
        publisher.serve(welcome, (encode(good_frame()), []))
        return ask() == (NoMask.MALFORMED, "category")

    wait_for(said, "an id above 7")

    def goes_on() -> bool:
        assert publisher.send(encode(good_status(sequence=frame.sequence)))
        assert publisher.kept, "the stream goes on"
        told = ask()
        if told[0] in (NoMask.TOO_OLD, NoMask.SILENT):  # the machine stood still: again
            publisher.hang_up()
            wait_for(said, "an id above 7")
            return False
        assert told == (NoMask.MALFORMED, "category")
        return True

    wait_for(goes_on, "the same after a sign of life")


@pytest.mark.parametrize(
    "entry",
    [b"\x08", b"\x01\0\0\0\x21", b"\x03", b""],
    ids=["of a later kind", "33 colours", "a camera's", "empty"],
)
def test_a_model_that_nobody_can_name_is_unknown(publisher: RawPublisher, entry: bytes) -> None:
    """The mask is handed out, its model is None, or nullopt: nothing is raised."""
    frame, at = good_frame(model=0), good_welcome().identity_offset
    ring_commit(publisher.memory, frame.slot * GENERATION_STRIDE, frame.sequence)
    publisher.memory[at : at + 256] = entry.ljust(256, b"\0")

    def given(look: Callable[[], T]) -> T:
        """What it says first of a frame that was just sent."""
        publisher.hang_up()
        look()
        welcome = (encode(good_welcome()), [publisher.sealed])
        publisher.serve(welcome, (encode(good_frame(model=0)), []))
        return look()

    with Subscriber(publisher.path) as subscriber:
        mask = wait_for(lambda: given(subscriber.latest), "a mask")
        assert mask.model is None and mask.geometry is None and mask.verification is None
    with driven("probe", publisher.path) as running:

        def said() -> bool:
            answer = given(lambda: running.ask("latest"))
            assert not answer.startswith("mask") or " model=- " in answer
            return answer.startswith("mask")

        wait_for(said, "a mask")


def test_a_future_stamp_never_becomes_fresh(publisher: RawPublisher, ask: Ask) -> None:
    """Refused when it comes, and still when its time has come."""
    stamp = 0

    def said() -> bool:
        nonlocal stamp
        stamp = now_ns() + 30_000_000
        frame = good_frame(capture_ns=stamp)
        publisher.serve((encode(good_welcome()), [publisher.sealed]), (encode(frame), []))
        return ask()[0] is NoMask.FUTURE

    wait_for(said, "the stamp is of the future")
    while now_ns() <= stamp + 30_000_000:
        assert ask()[0] in (NoMask.FUTURE, NoMask.SILENT, NoMask.CONNECTION_LOST)


def test_a_publisher_that_never_answers(publisher: RawPublisher, ask: Ask) -> None:
    wait_for(lambda: ask()[0] is NoMask.AWAITING_WELCOME, "connected")
    publisher.serve()  # accepts, sends nothing
    wait_for(lambda: ask() == (NoMask.SILENT, "none"), "patience ends")


def test_descriptors_do_not_pile_up(publisher: RawPublisher, tmp_path: Path) -> None:
    """Not those of a refused WELCOME, nor those sent along with frames."""
    here = Path("/proc/self/fd")
    with Subscriber(tmp_path / "masks.sock") as subscriber:
        subscriber.latest()
        before = 0
        for number in range(20):
            welcome = (encode(good_welcome()), [publisher.sealed])
            frame = (encode(good_frame()), [publisher.sealed] * 3)
            wrong: Record = (encode(good_frame(sequence=43, slot=9)), [])
            publisher.serve(welcome, frame, wrong)
            wait_for(lambda: subscriber.latest() is None and not subscriber.connected, "refusal")
            while publisher.kept:
                publisher.kept.pop().close()
            wait_for(lambda: subscriber.latest() is None and subscriber.fileno() >= 0, "retry")
            if number == 2:
                gc.collect()  # what earlier tests left would hide a leak when it goes
                before = len(list(here.iterdir()))
        assert len(list(here.iterdir())) <= before
