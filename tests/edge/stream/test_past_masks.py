"""The past of a stream, in both clients: what the ring still holds, why the rest is not given."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
from cpp_parts import driven
from stream_parts import frame_info, let_silence_be, publish, wait_for

from roadmask import Subscriber
from roadmask.errors import ConfigError
from roadmask.stream.modes import Flag, Mode, NoMask, Reason
from roadmask.stream.publish.publisher import Publisher, RingForm
from roadmask.system.clock import now_ns

SLOTS = 6
Told = dict[int, str]  # of each sequence, the first pixel or why there is none
Ask = Callable[[int], Told | NoMask]


@contextmanager
def python(path: Path, max_age_ms: int = 10_000) -> Iterator[Ask]:
    with Subscriber(path, max_age_ms=max_age_ms) as subscriber:

        def ask(most: int) -> Told | NoMask:
            past = subscriber.history(most)
            if past is None:
                return subscriber.reason
            sequences = [mask.sequence for mask in past.masks]
            assert sequences == sorted(sequences)
            told = {mask.sequence: str(mask.pixels[0, 0]) for mask in past.masks}
            told |= {sequence: why.name for sequence, why in past.missing.items()}
            return dict(sorted(told.items()))

        yield ask


@contextmanager
def cpp(path: Path, max_age_ms: int = 10_000) -> Iterator[Ask]:
    with driven("history", path, max_age_ms) as running:

        def ask(most: int) -> Told | NoMask:
            words = running.ask(str(most)).split()
            if words[:1] == ["none"]:
                return NoMask(int(words[1]))
            told = dict[int, str]()
            for word in words:
                sequence, _, why = word.partition("=")
                sequence, _, pixel = sequence.partition(":")
                told[int(sequence)] = NoMask(int(why)).name if why else pixel
            assert list(told) == sorted(told)
            return told

        yield ask


Client = Callable[..., AbstractContextManager[Ask]]
both = pytest.mark.parametrize("client", [python, cpp])


@contextmanager
def source(folder: Path) -> Iterator[tuple[Path, Publisher]]:
    path = folder / "masks.sock"
    form = RingForm(slots=SLOTS, checksum=True)
    with Publisher(path, mask_size=(8, 8), max_age_ms=20_000, form=form) as publisher:
        yield path, publisher


def heard(ask: Ask, publisher: Publisher, most: int = 99) -> Told:
    """The history, once this client is let in; where the machine stood still, asked again."""

    def looked() -> Told | None:
        publisher.heartbeat()
        found = ask(most)
        return found if isinstance(found, dict) and "SILENT" not in found.values() else None

    found = wait_for(looked, "a history")
    assert isinstance(found, dict)
    return found


@both
def test_who_joins_late_gets_what_the_ring_holds(tmp_path: Path, client: Client) -> None:
    with source(tmp_path) as (path, publisher), client(path) as ask:
        for n in range(1, 11):
            publish(publisher, n % 8)
        assert heard(ask, publisher) == {5: "5", 6: "6", 7: "7", 8: "0", 9: "1", 10: "2"}
        assert heard(ask, publisher, 2) == {9: "1", 10: "2"}
        publisher.begin()  # the oldest is written over from now on
        told = {5: "OVERWRITTEN", 6: "6", 7: "7", 8: "0", 9: "1", 10: "2"}
        assert heard(ask, publisher) == told


@both
def test_each_is_judged_as_the_newest_is(tmp_path: Path, client: Client) -> None:
    with source(tmp_path) as (path, publisher), client(path) as ask:
        publish(publisher, 1, capture_ns=now_ns() - 15_000_000_000)
        publish(publisher, 2, flags=Flag.REPLAY)
        publish(publisher, 3, mode=Mode.DEGRADED, reasons=Reason.DARK)
        publish(publisher, 4, capture_ns=now_ns() + 60_000_000_000)
        publish(publisher, 9)  # no category
        publish(publisher, 6)
        told = {1: "TOO_OLD", 2: "NOT_LIVE", 3: "REFUSED", 4: "FUTURE", 5: "MALFORMED", 6: "6"}
        assert heard(ask, publisher) == told
        publisher.set_mode(Mode.FAULT, Reason.CAMERA_LOST)
        wait_for(lambda: heard(ask, publisher, 1) == {6: "FAULT"}, "the fault")
        # Then nothing of the past counts.
        assert heard(ask, publisher) == dict.fromkeys(range(1, 7), "FAULT")


@both
def test_a_gap_is_no_frame(tmp_path: Path, client: Client) -> None:
    with source(tmp_path) as (path, publisher), client(path) as ask:
        for sequence in (1, 2, 5, 6):
            publisher.begin().mask.fill(sequence)
            publisher.publish(frame_info(), sequence=sequence)
        assert heard(ask, publisher) == {1: "1", 2: "2", 5: "5", 6: "6"}


@both
def test_without_a_stream_or_a_frame_there_is_a_reason(tmp_path: Path, client: Client) -> None:
    with client(tmp_path / "masks.sock") as ask:
        assert ask(3) is NoMask.NOT_CONNECTED
        with source(tmp_path) as (_, publisher):

            def nothing_yet() -> bool:
                publisher.heartbeat()
                return ask(3) is NoMask.NO_FRAME

            wait_for(nothing_yet, "connected")
            publish(publisher)
            assert heard(ask, publisher) == {1: "1"}


def test_nothing_is_taken_for_handed_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    let_silence_be(monkeypatch)
    with (
        source(tmp_path) as (path, publisher),
        Subscriber(path, max_age_ms=20_000) as subscriber,
    ):
        for n in (1, 2, 3):
            publish(publisher, n)
        wait_for(lambda: (publisher.heartbeat(), subscriber.history(9))[1], "a history")
        first = subscriber.receive(10)
        assert first is not None and first.sequence == 3 and subscriber.dropped == 0
        again = subscriber.history(9)
        assert again is not None and [mask.sequence for mask in again.masks] == [1, 2, 3]
        assert subscriber.history(0) is not None
        with pytest.raises(ConfigError, match="max_age_ms"):
            subscriber.history(3, max_age_ms=float("nan"))
        young = subscriber.history(9, max_age_ms=0)
        assert young is not None and set(young.missing.values()) == {NoMask.TOO_OLD}
