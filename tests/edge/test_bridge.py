"""Publisher process, bridge process, and the far end, over TCP on this machine's loopback.

The other machine's clock is shifted where it is asked, so that its daemon and its bridge agree.
A frame's camera id is its true capture time: no age that the far end computes may be less.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from stream_parts import drain, process, stop, wait_for

from roadmask.client import Mask, Subscriber
from roadmask.clock import now_ns
from roadmask.errors import ConfigError
from roadmask.modes import Flag, NoMask
from roadmask.remote import RemoteSubscriber

pytest.importorskip("zenoh", reason="the extra [zenoh] is not installed")

KEY = "car/front"
MS = 1_000_000

# Shifts the clocks by argv[1] ns, and by argv[2] more at each SIGUSR1.
OTHER_CLOCK = """
import signal, sys, time
true_ns, shift = time.clock_gettime_ns, [int(sys.argv[1])]
time.clock_gettime_ns = lambda clock: true_ns(clock) + shift[0]
signal.signal(signal.SIGUSR1, lambda *_: shift.append(shift.pop() + int(sys.argv[2])))
"""
# At argv[3], flags argv[4], each frame argv[5] ms old; pixels are random, seeded by the sequence.
PUBLISHER = (
    OTHER_CLOCK
    + """
import threading
import numpy as np
from roadmask.clock import now_ns
from roadmask.modes import Flag
from roadmask.protocol import Identity
from roadmask.publisher import FrameInfo, Publisher, StreamIdentity
def publish(stop=lambda: False):
    identity = StreamIdentity(Identity("m", bytes(range(32))), labels=Identity("l", b"x" * 32))
    old_ns = int(sys.argv[5]) * 1_000_000
    with Publisher(sys.argv[3], mask_size=(48, 32), max_age_ms=400, identity=identity) as publisher:
        while not stop():
            slot = publisher.begin()
            slot.mask[:] = np.random.default_rng(publisher.sequence + 1).integers(0, 8, (32, 48))
            now = now_ns() - old_ns
            publisher.publish(FrameInfo(
                now, (1280, 720), frame_id=now - shift[0], scale=(2.0, 3.0),
                flags=Flag(int(sys.argv[4])), counts=(1, 2, 3, 4, 5, 6, 7, 8)))
            time.sleep(1 / 60)
"""
)
BRIDGE = OTHER_CLOCK + "from roadmask.cli import main; sys.exit(main(sys.argv[3:]))"
# Both in one process, so that one signal steps the clock of both.
MACHINE = (
    PUBLISHER
    + """
threading.Thread(target=publish, daemon=True).start()
from roadmask.bridge import bridge
bridge(sys.argv[3], "car/front", listen=[sys.argv[6]], stop=threading.Event())
"""
)
FAR_END = """
import sys
from roadmask.clock import now_ns
from roadmask.remote import RemoteSubscriber
with RemoteSubscriber("car/front", connect=[sys.argv[1]]) as far:
    last = 0
    while True:
        before = now_ns()
        mask = far.latest()
        if mask is not None and mask.sequence != last:
            last = mask.sequence
            print(before, mask.frame_id, flush=True)
"""


def free_endpoint() -> str:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"tcp/127.0.0.1:{free.getsockname()[1]}"


@pytest.fixture
def endpoint() -> str:
    return free_endpoint()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "masks.sock"


@contextmanager
def publisher(
    path: Path, flags: Flag = Flag.NONE, old_ms: int = 0, shift_ns: int = 0
) -> Iterator[subprocess.Popen[str]]:
    script = PUBLISHER + "publish()"
    with process(script, shift_ns, 0, path, int(flags), old_ms) as running:
        yield running


@contextmanager
def bridge(
    path: Path, endpoint: str, *more: str, shift_ns: int = 0
) -> Iterator[subprocess.Popen[str]]:
    arguments = ("bridge", "--socket", path, "--zenoh", KEY, "--listen", endpoint)
    with process(BRIDGE, shift_ns, 0, *arguments, *more) as running:
        yield running


@pytest.fixture
def far(endpoint: str) -> Iterator[RemoteSubscriber]:
    with RemoteSubscriber(KEY, connect=[endpoint]) as far:
        yield far


def checked(far: Subscriber) -> Mask | None:
    """The newest mask, if there is one; never one that is older than it may be."""
    before = now_ns()
    mask = far.latest()
    if mask is not None:
        assert before - mask.frame_id <= 250 * MS
        assert mask.capture_timestamp_ns <= mask.frame_id
    return mask


def refused(far: Subscriber, reason: NoMask) -> Any:
    return wait_for(lambda: checked(far) is None and far.reason is reason, reason.name)


def test_pixels_and_header_are_the_same_at_the_far_end(
    path: Path, endpoint: str, far: RemoteSubscriber
) -> None:
    with publisher(path), bridge(path, endpoint), Subscriber(path) as near:
        here: dict[int, Mask] = {}

        def pair() -> tuple[Mask, Mask] | None:
            if (mask := near.latest()) is not None:
                here[mask.sequence] = mask
            mask = checked(far)
            return (
                None if mask is None or mask.sequence not in here else (here[mask.sequence], mask)
            )

        local, remote = wait_for(pair, "one frame at both ends")
        assert (remote.pixels == local.pixels).all() and remote.pixels.shape == (32, 48)
        expected = np.random.default_rng(remote.sequence).integers(0, 8, (32, 48))
        assert (remote.pixels == expected).all()
        # One machine, one clock: all three times are moved back, by no more than is not known.
        moved_ns = local.header.capture_ns - remote.header.capture_ns
        uncertainty_ms = far.uncertainty_ms
        assert uncertainty_ms is not None and 0 <= moved_ns <= (uncertainty_ms + 50) * MS
        times = {
            name: getattr(local.header, name) for name in ("capture_ns", "publish_ns", "sent_ns")
        }
        for name, time_ns in times.items():
            assert time_ns - getattr(remote.header, name) == moved_ns
        assert remote.header._replace(**times) == local.header
        assert remote.model == local.model and remote.labels == local.labels
        assert remote.model is not None and remote.model.digest == bytes(range(32))
        assert remote.live and remote.shares == local.shares


def test_what_is_not_live_stays_so(path: Path, endpoint: str, far: RemoteSubscriber) -> None:
    flags = Flag.REPLAY | Flag.SYNTHETIC
    with (
        publisher(path, flags),
        bridge(path, endpoint),
        RemoteSubscriber(KEY, connect=[endpoint], allow_not_live=True) as console,
    ):
        refused(far, NoMask.NOT_LIVE)
        assert "REPLAY|SYNTHETIC" in far.reason_text
        mask = wait_for(lambda: checked(console), "a mask")
        assert mask.flags == flags and not mask.live


def test_a_bridge_that_hung_delivers_nothing_old(
    path: Path, endpoint: str, far: RemoteSubscriber
) -> None:
    with publisher(path), bridge(path, endpoint) as running:
        last = wait_for(lambda: checked(far), "a mask")
        stop(running)
        refused(far, NoMask.SILENT)
        wait_for(lambda: now_ns() - last.frame_id > 1000 * MS, "one second")
        running.send_signal(signal.SIGCONT)
        wait_for(lambda: checked(far), "a mask again")


def test_a_far_end_that_hung_accepts_nothing_old(path: Path, endpoint: str) -> None:
    with publisher(path), bridge(path, endpoint), process(FAR_END, endpoint) as far:
        assert far.stdout is not None

        def times() -> tuple[int, int]:
            assert far.stdout is not None
            before, captured = map(int, far.stdout.readline().split())
            assert before - captured <= 250 * MS
            return before, captured

        times()
        stop(far)
        stopped_ns = now_ns()
        wait_for(lambda: now_ns() - stopped_ns > 1000 * MS, "one second")
        far.send_signal(signal.SIGCONT)
        while times()[0] < stopped_ns + 1000 * MS:
            pass


def test_the_far_end_learns_that_the_daemon_is_gone(
    path: Path, endpoint: str, far: RemoteSubscriber
) -> None:
    refused(far, NoMask.NOT_CONNECTED)
    with bridge(path, endpoint):
        wait_for(lambda: checked(far) is None and "no publisher" in far.reason_text, "no daemon")
        with publisher(path) as daemon:
            first = wait_for(lambda: checked(far), "a mask")
            daemon.kill()
            wait_for(lambda: checked(far) is None and "at the bridge" in far.reason_text, "told")
            assert far.status is None
        with publisher(path) as daemon:
            mask = wait_for(lambda: checked(far), "a mask of the next daemon")
            assert mask.stream_id != first.stream_id and mask.model is not None
            stop(daemon)
            refused(far, NoMask.SILENT)


def test_a_bridge_that_died_is_silent_and_the_next_one_is_taken(
    path: Path, endpoint: str, far: RemoteSubscriber
) -> None:
    with publisher(path):
        with bridge(path, endpoint) as running:
            wait_for(lambda: checked(far), "a mask")
            running.kill()
            refused(far, NoMask.SILENT)
        with bridge(path, endpoint):
            wait_for(lambda: checked(far), "a mask of the next bridge")


@pytest.mark.parametrize("shift_ns", [86_400_000 * MS, -now_ns() // 2], ids=["later", "earlier"])
def test_a_clock_far_off_makes_nothing_fresh(
    path: Path, endpoint: str, far: RemoteSubscriber, shift_ns: int
) -> None:
    with bridge(path, endpoint, shift_ns=shift_ns):
        with publisher(path, shift_ns=shift_ns):
            wait_for(lambda: checked(far), "a fresh mask")
        with publisher(path, shift_ns=shift_ns, old_ms=260):
            refused(far, NoMask.TOO_OLD)


@pytest.mark.parametrize("step_ns", [700 * MS, -700 * MS])
def test_a_clock_that_is_stepped_makes_nothing_fresh(
    path: Path, endpoint: str, far: RemoteSubscriber, step_ns: int
) -> None:
    with process(MACHINE, 10**12, step_ns, path, 0, 0, endpoint) as machine:
        wait_for(lambda: checked(far), "a mask")
        machine.send_signal(signal.SIGUSR1)
        wait_for(lambda: checked(far) is None, "the old estimate is given up")
        wait_for(lambda: checked(far), "a mask by the new one")


def test_a_clock_not_known_well_enough_is_a_reason(path: Path, endpoint: str) -> None:
    with (
        publisher(path),
        bridge(path, endpoint),
        RemoteSubscriber(KEY, connect=[endpoint], allowance_ms=0.000_1) as far,
    ):
        wait_for(lambda: checked(far) is None and "allowed 0 ms" in far.reason_text, "too wide")
        assert far.reason is NoMask.NO_CLOCK


def test_garbage_on_the_key_is_named_and_outlived(path: Path, endpoint: str) -> None:
    from roadmask.zenohsession import open_session

    door = free_endpoint()
    with (
        publisher(path),
        bridge(path, endpoint),
        RemoteSubscriber(KEY, connect=[endpoint], listen=[door]) as far,
        open_session([door], [], False) as other,
    ):
        wait_for(lambda: checked(far), "a mask")

        def named() -> bool:
            other.put(f"{KEY}/mask", b"no picture", attachment=b"x" * 300)
            other.put(f"{KEY}/about", b"no question")
            return checked(far) is None and far.reason is NoMask.MALFORMED

        wait_for(named, "malformed")
        wait_for(lambda: checked(far), "a mask")


def test_a_lower_rate_keeps_the_stream_alive(path: Path, endpoint: str, tmp_path: Path) -> None:
    report = tmp_path / "bridge.json"
    with ExitStack() as stack:
        stack.enter_context(publisher(path))
        running = stack.enter_context(
            bridge(path, endpoint, "--max-rate", "20", "--json", str(report))
        )
        far = stack.enter_context(RemoteSubscriber(KEY, connect=[endpoint]))
        wait_for(lambda: checked(far) and far.receive(timeout_s=1) and far.dropped, "skipped ones")
        running.send_signal(signal.SIGTERM)
        wait_for(lambda: checked(far) is None and far.reason is NoMask.CLOSED, "its good-bye")
        assert "the bridge was stopped" in far.reason_text
        drain(running)
        assert running.wait(30) == 0
    seen = json.loads(report.read_text())
    assert seen["frames"] and seen["skipped"] and seen["bytes_per_frame"]["p50"] > 0


def roadmask(*arguments: object) -> subprocess.CompletedProcess[str]:
    script = "import sys; from roadmask.cli import main; sys.exit(main(sys.argv[1:]))"
    return subprocess.run(
        [sys.executable, "-c", script, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )


def test_watch_at_the_far_end(path: Path, endpoint: str, tmp_path: Path) -> None:
    report = tmp_path / "seen.json"
    with publisher(path, Flag.SYNTHETIC), bridge(path, endpoint):
        seen = roadmask(
            "watch", "--zenoh", KEY, "--connect", endpoint, "--frames", 3,
            "--wait", 60, "--save", tmp_path / "masks", "--json", report,
        )  # fmt: skip
    assert seen.returncode == 0, seen.stderr
    assert json.loads(report.read_text())["frames"] == 3
    assert len(list((tmp_path / "masks").glob("*.png"))) == 3


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("bridge", "--zenoh", "car/*"), "without wildcards"),
        (("bridge", "--zenoh", "car//front"), "names parted by '/'"),
        (("bridge", "--zenoh", KEY, "--connect", "nonsense"), "expected e.g. tcp/127.0.0.1:7447"),
        (("bridge", "--zenoh", KEY, "--connect", "tcp/host"), "expected e.g. tcp/127.0.0.1:7447"),
        (("bridge", "--zenoh", KEY, "--listen", "tcp/192.0.2.1:7"), "cannot use tcp/192.0.2.1:7"),
        (("bridge", "--zenoh", KEY, "--max-rate", "-1"), "--max-rate -1"),
        (("watch", "--zenoh", "/car"), "names parted by '/'"),
        (("watch", "--zenoh", KEY, "--socket", "x"), "--socket or --zenoh"),
        (("watch", "--connect", "tcp/127.0.0.1:1"), "--zenoh"),
    ],
)
def test_unusable_arguments_are_one_line(arguments: tuple[str, ...], expected: str) -> None:
    result = roadmask(*arguments)
    assert result.returncode == 2
    assert expected in result.stderr and result.stderr.count("\n") == 1, result.stderr


def test_a_watch_that_nothing_reaches_says_what_to_do(endpoint: str) -> None:
    result = roadmask("watch", "--zenoh", KEY, "--connect", endpoint, "--wait", "0")
    assert result.returncode == 2
    assert "'roadmask bridge --zenoh car/front' there" in result.stderr.splitlines()[-1]


def test_without_the_package_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "zenoh", None)
    with pytest.raises(ConfigError, match=r"pip install 'roadmask\[zenoh\]'"):
        RemoteSubscriber(KEY)
