"""Both clients while their clock jumps: a suspend, and steps of the time of day."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from clock_parts import ShiftedClock
from cpp_parts import Driven, program
from stream_parts import publish, publisher_process, wait_for

from roadmask.stream.modes import NoMask
from roadmask.stream.publish.publisher import Publisher

HOUR_NS = 3_600_000_000_000

PYTHON_CLIENT = """
import sys
from roadmask.stream.subscribe.subscriber import Subscriber
with Subscriber(sys.argv[1]) as subscriber:
    for line in sys.stdin:
        if line == "valid\\n":
            print(int(mask.valid), flush=True)
        else:
            mask = subscriber.latest()
            print("mask" if mask else f"none {int(subscriber.reason)}", flush=True)
"""


class Client(Driven):
    """A client whose clocks are this test's."""

    def __init__(self, folder: Path, socket: Path, language: str) -> None:
        self.clock = ShiftedClock(folder)
        command = [sys.executable, "-c", PYTHON_CLIENT]
        if language == "cpp":
            command = [program("probe")]
        variables = {
            **self.clock.environment,
            "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
        }
        env = [f"{name}={value}" for name, value in variables.items()]
        super().__init__("env", *env, *command, str(socket))

    @property
    def has_mask(self) -> bool:
        return self.latest() == "mask"

    @property
    def valid(self) -> bool:
        return self.ask("valid") == "1"

    def latest(self) -> str:
        """``mask``, or why there is none."""
        kind, *rest = self.ask("latest").split()
        return kind if kind == "mask" else NoMask(int(rest[0])).name


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "masks.sock"


@pytest.fixture(params=["python", "cpp"])
def client(request: pytest.FixtureRequest, tmp_path: Path, path: Path) -> Iterator[Client]:
    running = Client(tmp_path, path, request.param)
    yield running
    running.close()


def test_time_asleep_counts(path: Path, client: Client) -> None:
    """After a suspend CLOCK_BOOTTIME has gone on: what came before it is old."""
    with Publisher(path, mask_size=(64, 32)) as publisher:

        def fresh() -> bool:
            publish(publisher)
            return client.has_mask and client.valid

        wait_for(fresh, "a mask")
        client.clock.shift(HOUR_NS, HOUR_NS)
        assert not client.valid
        assert client.latest() == "SILENT"


def test_the_time_of_day_does_not_count(path: Path, client: Client) -> None:
    with publisher_process(path) as running:
        for step_ns in (0, HOUR_NS, -HOUR_NS, -24 * HOUR_NS):
            client.clock.shift(realtime_ns=step_ns)
            wait_for(lambda: client.has_mask and client.valid, "a mask")
        running.kill()
        client.clock.shift(realtime_ns=HOUR_NS)
        wait_for(lambda: not client.valid, "its age")
        client.clock.shift(realtime_ns=-HOUR_NS)
        assert not client.valid, "an old mask that became young"
        assert not client.has_mask


IN_ANOTHER_TIME = """
import sys
from roadmask.stream.subscribe.subscriber import Subscriber
with Subscriber(sys.argv[1], reconnect=False) as subscriber:
    try:
        subscriber.receive()
    except Exception as error:
        print(error.check, flush=True)
"""


def test_a_shifted_clock_is_noticed(tmp_path: Path) -> None:
    """In a time namespace of its own a reader would take every age for another one."""
    path = tmp_path / "masks.sock"
    unshare = ["unshare", "--time", "--boottime", "-1"]
    try:
        subprocess.run([*unshare, "true"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("no time namespaces here, or not permitted")
    with Publisher(path, mask_size=(8, 8)) as publisher:
        reader = subprocess.Popen(
            [*unshare, sys.executable, "-c", IN_ANOTHER_TIME, str(path)],
            stdout=subprocess.PIPE,
            text=True,
            env={"PYTHONPATH": ":".join(filter(None, sys.path)), "PATH": os.environ["PATH"]},
        )

        def answered() -> bool:
            publish(publisher)
            return reader.poll() is not None

        wait_for(answered, "the reader's refusal")
        assert reader.stdout is not None
        assert reader.stdout.read() == "clock\n"
        reader.stdout.close()
