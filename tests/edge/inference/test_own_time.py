"""A process that hangs is told from one that others leave no core."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from stream_parts import wait_for

from roadmask.inference.own_time import OwnTime
from roadmask.system.clock import now_ns

SPIN = "print(flush=True)\nwhile True: pass"
SLEEP = "print(flush=True)\nimport time; time.sleep(600)"


@contextmanager
def program(code: str, core: int) -> Iterator[int]:
    """A process on that core alone, at work."""
    command = [sys.executable, "-c", f"import os; os.sched_setaffinity(0, [{core}]); {code}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stdout.readline()
        try:
            yield process.pid
        finally:
            process.kill()


@pytest.fixture
def core() -> int:
    return max(os.sched_getaffinity(0))


def share(pid: int) -> float:
    """Of half a second, how much was its own."""
    begun_ns = now_ns()
    own = OwnTime(pid, begun_ns)
    time.sleep(0.5)
    while True:
        before_ns, spent_s, after_ns = now_ns(), own.spent_s(), now_ns()
        if after_ns - before_ns < 1_000_000:  # else this process itself had no core in between
            return spent_s / ((after_ns - begun_ns) * 1e-9)


def test_who_sleeps_or_is_stopped_has_all_the_time_to_itself(core: int) -> None:
    with program(SLEEP, core) as sleeper, program(SPIN, core) as stopped:
        os.kill(stopped, signal.SIGSTOP)
        for pid, state in ((stopped, "T"), (sleeper, "S")):
            stat = Path(f"/proc/{pid}/stat")
            wait_for(lambda s=stat, w=f" {state} ": w in s.read_text(), f"it is {state}")
        assert share(sleeper) == pytest.approx(1, abs=0.01)
        assert share(stopped) == pytest.approx(1, abs=0.01)


def test_who_shares_a_core_has_what_it_ran(core: int) -> None:
    with ExitStack() as stack:
        pids = [stack.enter_context(program(SPIN, core)) for _ in range(5)]
        assert share(pids[0]) < 0.5, "a fifth, give or take"


def test_what_passed_before_it_was_looked_at_is_its_own(core: int) -> None:
    with program(SPIN, core) as pid:
        assert OwnTime(pid, now_ns() - 10**9).spent_s() >= 1.0


WAITS = """
import time
from roadmask.inference.own_time import waited_ns
before_ns, began_s, ran_s = waited_ns(), time.monotonic(), time.thread_time()
while time.thread_time() - ran_s < 0.1:
    pass
passed_s = time.monotonic() - began_s
print(passed_s - 0.1, (waited_ns() - before_ns) * 1e-9)
"""


def test_a_wait_for_a_core_is_counted(core: int) -> None:
    if not Path("/proc/thread-self/schedstat").is_file():
        pytest.skip("this kernel does not count it")
    with ExitStack() as stack:
        for _ in range(4):
            stack.enter_context(program(SPIN, core))
        code = f"import os; os.sched_setaffinity(0, [{core}])\n{WAITS}"
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        )
    without_core_s, waited_s = map(float, done.stdout.split())
    assert without_core_s > 0.05, "four others want the core"
    assert waited_s == pytest.approx(without_core_s, rel=0.2, abs=0.02)


def test_a_process_that_is_gone_is_no_error() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        pass
    assert OwnTime(process.pid, now_ns() - 10**9).spent_s() >= 1.0
