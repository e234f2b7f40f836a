"""Publisher process, bridge process, and the far end, over TCP on this machine's loopback."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import numpy as np
import pytest
from bridge_parts import (
    FAR_END,
    KEY,
    MACHINE,
    MS,
    bridge,
    checked,
    free_endpoint,
    publisher,
    refused,
)
from clock_parts import ShiftedClock
from stream_parts import drain, process, stop, wait_for

from roadmask.bridge.subscriber import RemoteSubscriber
from roadmask.stream.modes import Flag, NoMask
from roadmask.stream.subscribe.subscriber import Mask, Subscriber
from roadmask.system.clock import now_ns

pytest.importorskip("zenoh", reason="the extra [zenoh] is not installed")


@pytest.fixture
def endpoint() -> str:
    return free_endpoint()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "masks.sock"


@pytest.fixture
def far(endpoint: str) -> Iterator[RemoteSubscriber]:
    with RemoteSubscriber(KEY, connect=[endpoint]) as far:
        yield far


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
        past = wait_for(lambda: far.history(9), "the newest, which is all that travels")
        assert len(past.masks) + len(past.missing) == 1
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


def test_an_age_that_is_unknown_stays_so(path: Path, endpoint: str, far: RemoteSubscriber) -> None:
    with (
        publisher(path, Flag.AGE_UNKNOWN),
        bridge(path, endpoint),
        RemoteSubscriber(KEY, connect=[endpoint], accept_unknown_age=True) as bold,
    ):
        refused(far, NoMask.AGE_UNKNOWN)
        mask = wait_for(lambda: checked(bold), "a mask")
        assert not mask.age_known and mask.valid


def test_the_far_end_may_name_the_model(path: Path, endpoint: str) -> None:
    right, wrong = bytes(range(32)).hex(), bytes(32).hex()
    with (
        publisher(path),
        bridge(path, endpoint),
        RemoteSubscriber(KEY, connect=[endpoint], model=right) as pinned,
        RemoteSubscriber(KEY, connect=[endpoint], model=wrong) as other,
    ):
        wait_for(lambda: checked(pinned), "a mask")
        refused(other, NoMask.WRONG_MODEL)


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
    clock = ShiftedClock(path.parent, 10**12)
    with process(MACHINE, path, 0, 0, endpoint, clock=clock):
        wait_for(lambda: checked(far), "a mask")
        clock.shift(10**12 + step_ns)
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
    from roadmask.bridge.zenoh_session import open_session

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


def sockets(pid: int, table: str) -> list[list[str]]:
    """The process's rows of /proc/net/``table``."""
    links = []
    for fd in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # closed meanwhile
            links.append(str(fd.readlink()))
    rows = [line.split() for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]]
    return [row for row in rows if f"socket:[{row[9]}]" in links]


def test_it_listens_where_it_was_told_and_looks_for_nobody(
    path: Path, endpoint: str, far: RemoteSubscriber
) -> None:
    with publisher(path), bridge(path, endpoint) as running:
        wait_for(lambda: checked(far), "a mask")
        assert not sockets(running.pid, "udp") and not sockets(running.pid, "udp6")
        listening = [row[1] for row in sockets(running.pid, "tcp") if row[3] == "0A"]
        assert listening == [f"0100007F:{int(endpoint.rsplit(':', 1)[1]):04X}"]
        assert not sockets(running.pid, "tcp6")
