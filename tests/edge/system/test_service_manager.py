"""What systemd hears, on a real datagram socket."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from roadmask.system.service_manager import ServiceManager


@pytest.fixture(params=["file", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[socket.socket, str]]:
    name = str(tmp_path / "notify") if request.param == "file" else f"@roadmask-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind("\0" + name[1:] if name.startswith("@") else name)
        listener.settimeout(5)
        yield listener, name


def test_it_is_told(manager: tuple[socket.socket, str]) -> None:
    listener, name = manager
    told = ServiceManager({"NOTIFY_SOCKET": name, "WATCHDOG_USEC": "4000000000000"})
    told.ready("masks")
    told.ready("more masks")
    for _ in range(1000):
        told.alive()
    told.reloading()
    told.ready("again")
    told.stopping()
    texts = [listener.recv(4096).decode() for _ in range(6)]
    assert texts[:3] == ["READY=1\nSTATUS=masks", "STATUS=more masks", "WATCHDOG=1"]
    assert texts[3].startswith("RELOADING=1\nMONOTONIC_USEC=")
    assert texts[4:] == ["READY=1\nSTATUS=again", "STOPPING=1"]


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"NOTIFY_SOCKET": "/nowhere/notify", "WATCHDOG_USEC": "1"},
        {"NOTIFY_SOCKET": "/nowhere/notify", "WATCHDOG_USEC": "1", "WATCHDOG_PID": "1"},
    ],
)
def test_without_a_manager_nothing_happens(environment: dict[str, str]) -> None:
    silent = ServiceManager(environment)
    silent.ready("x")
    silent.alive()
    silent.stopping()


def test_the_watchdog_of_another_process_is_not_fed(manager: tuple[socket.socket, str]) -> None:
    listener, name = manager
    other = {"NOTIFY_SOCKET": name, "WATCHDOG_USEC": "1", "WATCHDOG_PID": "1"}
    told = ServiceManager(other)
    told.alive()
    told.stopping()
    assert listener.recv(4096) == b"STOPPING=1"
