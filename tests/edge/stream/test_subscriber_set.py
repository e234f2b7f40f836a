"""Four cameras, one frozen, one killed: sets come at the rate of the others, the two named."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from cpp_parts import driven
from stream_parts import let_silence_be

from roadmask import SubscriberSet
from roadmask.errors import ConfigError
from roadmask.stream.modes import NoMask
from roadmask.stream.publish.publisher import FrameInfo, Publisher
from roadmask.system.clock import now_ns

# One trigger for all, as the cameras of one rig have: left alone, four of 30 Hz may stand evenly
# over their 33 ms, and then no set within 20 ms ever holds all four.
PLAYER = """
import sys, time
from roadmask.testing.player import StreamPlayer
PERIOD_S = 1 / 30
with StreamPlayer(sys.argv[1], (32, 32)) as player:
    print("on", flush=True)
    while True:
        time.sleep(PERIOD_S - time.clock_gettime(time.CLOCK_BOOTTIME) % PERIOD_S)
        player.publish()
"""
NAMES = ("front", "left", "right", "rear")
Next = Callable[[], list[str] | None]


@contextmanager
def cameras(folder: Path) -> Iterator[dict[str, subprocess.Popen[str]]]:
    """Four publishers at 30 Hz, a process each, triggered together."""
    running = {
        name: subprocess.Popen(
            [sys.executable, "-c", PLAYER, str(folder / name)], stdout=subprocess.PIPE, text=True
        )
        for name in NAMES
    }
    try:
        for process in running.values():
            assert process.stdout is not None and process.stdout.readline() == "on\n"
        yield running
    finally:
        for process in running.values():
            process.kill()
            process.wait()
            assert process.stdout is not None
            process.stdout.close()


@contextmanager
def python_sets(folder: Path) -> Iterator[Next]:
    sockets = {name: folder / name for name in NAMES}
    with SubscriberSet(sockets, allow_not_live=True) as members:

        def following() -> list[str] | None:
            found = members.receive(2.0)
            if found is None:
                return None
            told = {name: str(mask.sequence) for name, mask in found.masks.items()}
            told |= {name: reason.name for name, reason in found.missing.items()}
            assert found.spread_ns <= 20_000_000
            return [told[name] for name in NAMES]

        yield following


@contextmanager
def cpp_sets(folder: Path) -> Iterator[Next]:
    with driven("sets", *(folder / name for name in NAMES)) as running:

        def following() -> list[str] | None:
            answer = running.ask("next").split()
            if answer == ["none"]:
                return None
            return [w if w.isdecimal() else NoMask(int(w.removeprefix("="))).name for w in answer]

        yield following


@pytest.mark.parametrize("opened", [python_sets, cpp_sets])
def test_four_cameras_one_frozen_one_killed(tmp_path: Path, opened: Callable[..., object]) -> None:
    with cameras(tmp_path) as running, opened(tmp_path) as following:  # type: ignore[attr-defined]
        whole = 0
        for _ in range(200):  # until all four are connected and seen together
            found = following()
            whole += found is not None and all(word.isdecimal() for word in found)
            if whole == 3:
                break
        assert whole == 3
        running["left"].send_signal(signal.SIGSTOP)
        running["rear"].kill()
        sets = []
        for _ in range(200):
            found = following()
            if found is not None:
                sets.append(found)
            if found is not None and found[1] == "SILENT" and found[3].startswith(("NOT_", "CONN")):
                break
        settled = [found for _ in range(40) if (found := following()) is not None]
        assert len(settled) == 40  # each in time
        for found in settled:
            assert found[0].isdecimal() or found[2].isdecimal()
            assert not found[1].isdecimal() and not found[3].isdecimal()
        assert settled[-1][1] == "SILENT" and settled[-1][3] in ("NOT_CONNECTED", "CONNECTION_LOST")
        fronts = [int(found[0]) for found in settled if found[0].isdecimal()]
        # At the rate of those that are there: hardly a frame is left out.
        assert len(fronts) >= 0.6 * (fronts[-1] - fronts[0] + 1)


@contextmanager
def in_turn(folder: Path, names: tuple[str, ...]) -> Iterator[threading.Event]:
    """Streams of one thread, so that every set is complete, from the event on."""
    started, ended = threading.Event(), threading.Event()

    def work() -> None:
        with ExitStack() as stack:
            publishers = [
                stack.enter_context(Publisher(folder / name, mask_size=(64, 64))) for name in names
            ]
            started.wait()
            while not ended.wait(0.01):
                now = now_ns()
                for publisher in publishers:
                    publish(publisher, now)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield started
    finally:
        started.set()
        ended.set()
        thread.join()


def publish(publisher: Publisher, capture_ns: int) -> None:
    publisher.begin().mask.fill(1)
    publisher.publish(FrameInfo(capture_ns, (64, 64)))


def test_only_pictures_of_one_time_make_a_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    let_silence_be(monkeypatch)
    paths = [tmp_path / name for name in ("a", "b")]
    with (
        Publisher(paths[0], mask_size=(8, 8), max_age_ms=60_000) as first,
        Publisher(paths[1], mask_size=(8, 8), max_age_ms=60_000) as second,
        SubscriberSet(paths, within_ms=10, by_ms=20, max_age_ms=60_000) as members,
    ):
        assert members.receive(0.0) is None
        assert set(members.reasons) == {str(path) for path in paths}
        now = now_ns()
        for publisher, ago_ms in ((first, 5), (second, 1)):
            publisher.heartbeat()
            publish(publisher, now - ago_ms * 1_000_000)
        found = members.receive(2.0)
        assert found is not None and found.complete and found.spread_ns == 4_000_000
        assert members.receive(0.0) is None  # no mask twice
        publish(first, now_ns() - 60_000_000)
        publish(second, now_ns())
        apart = members.receive(2.0)
        assert apart is not None and set(apart.masks) == {str(paths[1])}
        assert apart.missing == {str(paths[0]): NoMask.NO_NEW_FRAME}


@pytest.mark.parametrize(("within_ms", "whole"), [(24, 5), (20, 0)])
def test_four_cameras_without_a_trigger_need_three_quarters_of_a_period(
    tmp_path: Path, within_ms: float, whole: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worst that four of 32 ms can stand: 8 ms apart, from whichever the sets begin."""
    let_silence_be(monkeypatch)
    paths = [tmp_path / name for name in NAMES]
    with ExitStack() as stack:
        members = stack.enter_context(
            SubscriberSet(paths, within_ms=within_ms, by_ms=1, max_age_ms=60_000)
        )
        cameras = [
            stack.enter_context(Publisher(path, mask_size=(8, 8), max_age_ms=60_000))
            for path in paths
        ]
        while members.receive(0.0) is None:
            for camera in cameras:
                camera.heartbeat()
                publish(camera, now_ns() - 1_000_000_000)
        while members.receive(0.01) is not None:
            pass
        start, complete = now_ns() - 1_000_000_000, 0
        for tick in range(20):
            publish(cameras[(tick + 1) % 4], start + tick * 8_000_000)
            if tick % 4 == 3:
                found = members.receive(2.0)
                complete += found is not None and found.complete
        assert complete == whole


@pytest.mark.parametrize("sockets", [[], ["a", "a"], {}])
def test_a_set_of_nothing_is_refused(sockets: list[str]) -> None:
    with pytest.raises(ConfigError, match="expected"):
        SubscriberSet(sockets)
    with pytest.raises(ConfigError, match="milliseconds"):
        SubscriberSet(["a"], within_ms=float("nan"))


def test_no_set_allocates_while_its_streams_are_up(tmp_path: Path) -> None:
    names = ("a", "b")
    with (
        in_turn(tmp_path, names) as started,
        driven("sets", *(tmp_path / name for name in names)) as running,
    ):
        started.set()
        assert running.ask("many 8").split()[0] == "8"  # each of three masks has its memory
        got, news = map(int, running.ask("many 40").split())
        assert got == 40 and news == 0
