"""The daemon on a real driver: each fault is named in the stream, and it goes on afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from conftest import CARD, Driver, Webcam, nodes, now_s, wait_for
from daemons import SOCKET, Daemon, command, running

from roadmask.stream.modes import Mode, Reason

ABSENT_S = 10.0  # a driver that is late is not loaded for so long
LATE_MASK_S = 90.0  # after it was: the network of the emulated machine has to load meanwhile


def on(device: str) -> AbstractContextManager[Daemon]:
    """A daemon on this device."""
    return running(command(device), SOCKET, device)


@pytest.fixture(scope="module")
def daemon(_webcam: Webcam) -> Iterator[Daemon]:
    _webcam.tell("ok")
    with on(_webcam.plug()) as daemon:
        daemon.masks_again(0.0)
        yield daemon
        _webcam.tell("unplug")


@pytest.fixture
def late_driver(webcam: Webcam) -> Iterator[Driver]:
    """That of a webcam which is plugged in, out of the kernel; back in it afterwards."""
    driver = Driver(webcam)
    driver.unload()
    yield driver
    driver.load()


def test_a_driver_that_is_late_is_waited_for(late_driver: Driver) -> None:
    device = late_driver.device
    began_s = now_s()
    with on(device) as daemon:
        first = wait_for("the stream", daemon.told)
        heard_s = first.sent_ns * 1e-9 - began_s
        told = [first]

        def absent() -> bool:
            status = daemon.told()
            if status is not None and status.sent_ns > told[-1].sent_ns:
                told.append(status)
            return (told[-1].sent_ns - first.sent_ns) * 1e-9 > ABSENT_S

        wait_for("heartbeats", absent)
        assert {status.mode for status in told} == {Mode.FAULT}
        assert {status.reasons for status in told} <= {Reason.CAMERA_LOST, Reason.STARTING}
        assert told[-1].reasons == Reason.CAMERA_LOST and not first.sequence
        assert nodes(CARD) == []
        late_driver.load()
        assert wait_for("device node", lambda: nodes(CARD)) == [device]
        there_s = now_s()
        daemon.masks_again(there_s)
        took_s = now_s() - there_s
    print(
        f"\n  {first.reasons.name}: told {heard_s:.2f} s after the daemon's start, "
        f"{len(told)} times in {ABSENT_S:.0f} s; "
        f"the first mask {took_s:.2f} s after the device was there"
    )
    assert took_s < LATE_MASK_S


def test_masks_come_from_the_camera(daemon: Daemon) -> None:
    mask = daemon.latest()
    assert mask.live
    assert mask.camera_size == (1280, 720)
    assert not mask.reasons & Reason.ESTIMATED_TIME  # the driver's stamp


@pytest.mark.parametrize(
    ("state", "mode", "reason"),
    [
        ("garbage", Mode.STALE, Reason.BAD_PICTURE),
        ("truncated", Mode.STALE, Reason.BAD_PICTURE),
        ("stall", Mode.STALE, Reason.NO_NEW_FRAME),
        ("repeat", Mode.STALE, Reason.FROZEN),
    ],
)
def test_a_fault_is_named_and_goes(
    _webcam: Webcam, daemon: Daemon, state: str, mode: Mode, reason: Reason
) -> None:
    pace = daemon.pace()
    daemon.free_of(reason)
    in_time = daemon.named(_webcam.tell(state), mode, reason, pace)
    assert in_time or state == "repeat"  # that has its hysteresis
    daemon.masks_again(_webcam.tell("ok"))
    daemon.free_of(reason)


def test_unplugging_is_named_and_the_camera_is_found_under_another_name(
    _webcam: Webcam, daemon: Daemon
) -> None:
    pace = daemon.pace()
    with Path(daemon.device).open("rb", buffering=0):  # somebody else keeps the old name taken
        assert daemon.named(_webcam.tell("unplug"), Mode.FAULT, Reason.CAMERA_LOST, pace)
        moved = _webcam.plug()
        assert moved != daemon.device
        daemon.masks_again(_webcam.tell("ok"))
