"""The C++ subscriber against the Python publisher: the same semantics as test_subscriber.py.

Its limits cannot be relaxed, so a test waits for what it expects, with the publisher at 60 Hz.
"""

from __future__ import annotations

import math
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cpp_parts import REPOSITORY, Driven, built, driven, program, tool
from stream_parts import frame_info, process, publish, publisher_process, stop, wait_for

from roadmask.arrays import U8
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


EXAMPLES = ("subscribe.py", "subscribe.cpp")


ROAD = np.ones((32, 64), np.uint8)
ROAD[:24] = 2


def said_by_the_example(
    path: Path, example: str, mask: U8, frames: int = 1, **info: Any
) -> list[str]:
    """What it prints of so many frames that show ``mask``."""
    with Publisher(path, mask_size=(64, 32)) as publisher:
        python = [sys.executable, str(REPOSITORY / "edge" / "examples" / "subscribe.py")]
        command = python if example == "subscribe.py" else [program("subscribe")]
        running = subprocess.Popen(
            [*command, str(path), str(frames), "--allow-not-live"],
            stdout=subprocess.PIPE,
            text=True,
            env={"PYTHONPATH": ":".join(filter(None, sys.path))},
        )

        def published() -> bool:
            publisher.begin().mask[:] = mask
            told = {"flags": Flag.SYNTHETIC, "scale": (20.0, 22.5), **info}
            publisher.publish(frame_info(**told))
            return running.poll() is not None

        wait_for(published, "the frames are read")
        assert running.stdout is not None
        lines = [line for line in running.stdout if not line.startswith("stop: no mask")]
        running.stdout.close()
    assert running.returncode == 0
    return lines


@pytest.mark.parametrize("example", EXAMPLES)
def test_the_example_reads_the_free_distance(path: Path, example: str) -> None:
    """A road from row 24 of 32 on; a row nearer and half a degree lower, its least is row 24.5.

    It lies 22.5 x 24.5 - 359.5 = 191.75 px below the middle; the focal length of 60 degrees over
    1280 px is 640 / tan 30 = 1108.5 px: 1.3 m / tan(atan(191.75 / 1108.5) + 0.5 deg) = 7.14 m.
    """
    lines = said_by_the_example(path, example, ROAD, frames=3)
    assert len(lines) == 3
    for line in lines:
        assert re.fullmatch(r"mask \d+ OK age \d+\.\d ms, free 7\.14 m\n", line)


@pytest.mark.parametrize("example", EXAMPLES)
@pytest.mark.parametrize("category", [0, 2, 6, 7])
def test_one_pixel_that_is_not_flat_ends_the_free_distance(
    path: Path, example: str, category: int
) -> None:
    """In row 28 of 32; at least row 29.5 is free: 1.3 m / tan(atan(304.25 / 1108.5) + 0.5 deg)."""
    mask = ROAD.copy()
    mask[28, 32] = category
    for line in said_by_the_example(path, example, mask):
        assert line.endswith(", free 4.58 m\n"), line
    mask[28, 32], mask[28, 1] = 1, category  # far beside the corridor of 2 m
    for line in said_by_the_example(path, example, mask):
        assert line.endswith(", free 7.14 m\n"), line


@pytest.mark.parametrize("example", EXAMPLES)
def test_the_example_acts_on_mode_and_reasons(path: Path, example: str) -> None:
    road = np.ones((32, 64), np.uint8)
    said = {"mode": Mode.DEGRADED, "reasons": Reason.LOW_RATE}
    for line in said_by_the_example(path, example, road, **said):
        assert re.fullmatch(
            r"mask \d+ DEGRADED LOW_RATE age .* ms, free 20\.00 m, carefully\n", line
        )


HUGE, TINY = 3e38, 1e-38
HOSTILE = [(1.0, HUGE), (HUGE, HUGE), (TINY, 22.5), (TINY, TINY), (1.0, TINY), (HUGE, TINY)]


@pytest.mark.parametrize("scale", [*HOSTILE, (20.0, 22.5)])
@pytest.mark.parametrize("offset", [(0.0, 0.0), (HUGE, -HUGE), (-HUGE, HUGE)])
def test_no_scale_overflows_the_example(
    path: Path, scale: tuple[float, float], offset: tuple[float, float]
) -> None:
    """Both say the same of a road that fills the mask: a distance, or why there is none."""
    road = np.ones((32, 64), np.uint8)
    told = {
        line.rsplit(",", 1)[1]
        for example in EXAMPLES
        for line in said_by_the_example(path, example, road, scale=scale, offset=offset)
    }
    assert len(told) == 1
    line = told.pop()
    free = re.fullmatch(r" free (\d+\.\d\d) m\n", line)
    if free is None:
        assert line in (
            " stop: free distance unknown: TRANSFORM\n",
            " stop: free distance unknown: NOT_SEEN\n",
        )
    else:
        assert 0 <= float(free[1]) <= 60 and abs(offset[0]) < HUGE


@pytest.mark.parametrize("scale", [(0.0, 1.0), (1.0, math.nan), (math.inf, 1.0), (1.0, -1.0)])
def test_what_is_no_scale_gives_no_mask(path: Path, scale: tuple[float, float]) -> None:
    with Publisher(path, mask_size=(8, 8)) as publisher, client(path) as reader:

        def refused() -> bool:
            publish(publisher, scale=scale)
            reader.ask("latest")
            return reader.reason is NoMask.MALFORMED and reader.check == "transform"

        wait_for(refused, "transform")


def test_the_library_is_found_by_cmake_and_pkg_config(tmp_path: Path) -> None:
    prefix = tmp_path / "prefix"
    subprocess.run(
        [tool("cmake"), "--install", str(built()), "--prefix", str(prefix)],
        check=True,
        capture_output=True,
    )
    (tmp_path / "main.cpp").write_text(
        "#include <roadmask/subscriber.hpp>\n"
        'int main() { return roadmask::Subscriber("/nowhere").reason() '
        "!= roadmask::NoMask::NOT_CONNECTED; }\n"
    )
    (tmp_path / "CMakeLists.txt").write_text(
        "cmake_minimum_required(VERSION 3.18)\nproject(user CXX)\n"
        "find_package(roadmask 0.1 REQUIRED)\nadd_executable(user main.cpp)\n"
        "target_link_libraries(user roadmask::client)\n"
    )
    for command in (
        ["-S", str(tmp_path), "-B", str(tmp_path / "build"), f"-DCMAKE_PREFIX_PATH={prefix}"],
        ["--build", str(tmp_path / "build")],
    ):
        done = subprocess.run([tool("cmake"), *command], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
    assert subprocess.run([str(tmp_path / "build" / "user")]).returncode == 0
    usage = "expected subscribe SOCKET [FRAMES] [--allow-not-live]"
    for installed in ("libexec/roadmask/subscribe", "bin/roadmask-subscribe"):
        command = [str(prefix / installed), "/x", "none"]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 2 and usage in done.stderr
    assert not (prefix / "bin" / "subscribe").exists()


@pytest.mark.parametrize("language", ["c", "cpp"])
def test_pkg_config_names_the_prefix_of_the_installation(tmp_path: Path, language: str) -> None:
    """Not the one that the build was configured for; moved afterwards, too."""
    first, prefix = tmp_path / "first", tmp_path / "moved"
    install = [tool("cmake"), "--install", str(built()), "--prefix", str(first)]
    subprocess.run(install, check=True, capture_output=True)
    first.rename(prefix)
    package, header, compiler, use = {
        "c": ("roadmask-c", "roadmask.h", "cc", "roadmask_abi() != ROADMASK_ABI"),
        "cpp": (
            "roadmask",
            "roadmask/subscriber.hpp",
            "c++",
            'roadmask::Subscriber("/nowhere").connected() || ROADMASK_VERSION_MAJOR',
        ),
    }[language]
    folder = next(prefix.rglob("roadmask.pc")).parent
    flags = subprocess.run(
        [tool("pkg-config"), "--cflags", "--libs", package],
        check=True,
        capture_output=True,
        text=True,
        env={"PKG_CONFIG_PATH": str(folder)},
    ).stdout.split()
    source, user = tmp_path / f"main.{language}", tmp_path / "user"
    source.write_text(f"#include <{header}>\nint main(void) {{ return {use}; }}\n")
    subprocess.run([tool(compiler), str(source), "-o", str(user), *flags], check=True)
    library = {"LD_LIBRARY_PATH": str(folder.parent)}
    assert subprocess.run([str(user)], env=library).returncode == 0


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
