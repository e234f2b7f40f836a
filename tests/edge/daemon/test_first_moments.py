"""No signal ends the daemon in disorder, however early it comes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from stream_parts import PATIENCE_S, wait_for

TOWN = "synthetic:town?seed=1&width=320&height=240&prerender=4"
SPAN_S, MOMENTS = 0.4, 10
COMMAND = [sys.executable, "-m", "roadmask", "run", "--log-level", "info", "--no-verify"]


def signals_of(pid: int, line: str) -> set[int]:
    """Those of one line of /proc/PID/status: SigBlk, SigIgn, SigCgt."""
    status = Path(f"/proc/{pid}/status").read_text()
    (bits,) = (row.split()[1] for row in status.splitlines() if row.startswith(f"{line}:"))
    return {number for number in range(1, 32) if int(bits, 16) >> (number - 1) & 1}


@contextmanager
def begun(folder: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A daemon in a group of its own, as soon as the interpreter runs its first lines."""
    command = [*COMMAND, "--socket", str(folder / "masks.sock"), *arguments]
    with subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        try:
            wait_for(lambda: signal.SIGHUP in signals_of(process.pid, "SigBlk"), "signals held")
            yield process
        finally:
            process.kill()


def moments() -> list[object]:
    """Some of them each time, all in the slow tests."""
    every = [SPAN_S * turn / MOMENTS for turn in range(MOMENTS)]
    return [
        pytest.param(moment_s, marks=[] if turn % 4 == 0 else [pytest.mark.slow])
        for turn, moment_s in enumerate(every)
    ]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("moment_s", moments())
def test_it_ends_in_order(tmp_path: Path, moment_s: float, number: signal.Signals) -> None:
    with begun(tmp_path, "--source", TOWN) as process:
        threading.Event().wait(moment_s)
        os.killpg(process.pid, number)  # as a terminal sends it: to the network's process too
        _, errors = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0, errors
    assert "Traceback" not in errors and "ended" not in errors
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("moment_s", moments())
def test_a_reload_is_done_once_there_is_something_to_reload(
    tmp_path: Path, moment_s: float
) -> None:
    with begun(tmp_path, "--source", TOWN) as process:
        threading.Event().wait(moment_s)
        os.killpg(process.pid, signal.SIGHUP)
        assert process.stderr is not None
        lines = []
        for line in process.stderr:
            lines.append(line)
            if "reload: nothing changed" in line:
                break
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=PATIENCE_S)
    said = "".join(lines) + errors
    assert process.returncode == 0 and "reload: nothing changed" in said, said
    assert "anew" not in said


def test_nothing_stays_held(tmp_path: Path) -> None:
    held = {signal.SIGHUP, signal.SIGINT, signal.SIGTERM}
    with begun(tmp_path, "--source", "v4l2:/dev/video99") as process:
        wait_for((tmp_path / "masks.sock").exists, "the stream")
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        (engine,) = (
            int(pid)
            for pid in children
            if "engine_worker" in Path(f"/proc/{pid}/cmdline").read_text()
        )
        wait_for(lambda: held <= signals_of(engine, "SigIgn"), "signals ignored")
        for pid in (process.pid, engine):
            wait_for(lambda pid=pid: not held & signals_of(pid, "SigBlk"), "signals that come")


def test_settings_that_never_come_do_not_hold_it(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "settings")
    with begun(tmp_path, "--config", str(tmp_path / "settings")) as process:
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=PATIENCE_S)
    assert (process.returncode, errors) == (0, "")
