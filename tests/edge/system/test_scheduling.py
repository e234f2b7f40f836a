"""Scheduling, locked memory and cores, in a child process each; and what is said without leave."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from roadmask.daemon.config import DaemonConfig
from roadmask.daemon.rate_limit import RateLimit
from roadmask.errors import ConfigError
from roadmask.inference.engine import Engine
from roadmask.system.scheduling import parse_cores, pinned

CORE = min(os.sched_getaffinity(0))


def in_child(body: str, *, as_nobody: bool = False, first: str = "") -> str:
    """What ``body`` prints; as a user without privileges where asked for, after ``first``."""
    drop = ""
    if as_nobody:
        if os.getuid() != 0:
            pytest.skip("needs root, to give it up")
        # A limit of 0 is what a fresh user has; capabilities go with the user.
        drop = (
            "import resource\n"
            "for limit in (resource.RLIMIT_RTPRIO, resource.RLIMIT_MEMLOCK):\n"
            "    resource.setrlimit(limit, (0, 0))\n"
            # A user of our own: its limit counts what others run as the same one, too.
            f"nobody = ({1 << 20 | os.getpid()},) * 3\n"
            "os.setgroups([]); os.setresgid(*nobody); os.setresuid(*nobody)\n"
        )
    code = "import os, threading\nfrom roadmask.system.scheduling import *\n" + first + drop + body
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def permitted(body: str) -> str:
    attempt = "try:\n    " + body + "\nexcept Exception as error:\n    print('refused', error)\n"
    seen = in_child(attempt + "else:\n    print('done')")
    if seen != "done":
        pytest.skip(seen)
    return body


def test_threads_started_later_are_real_time_too() -> None:
    body = permitted("use_realtime(7)")
    seen = in_child(
        f"{body}\n"
        "def look(): print(os.sched_getscheduler(0) == os.SCHED_FIFO,"
        " os.sched_getparam(0).sched_priority)\n"
        "thread = threading.Thread(target=look); thread.start(); thread.join(); look()"
    )
    assert seen.splitlines() == ["True 7"] * 2


def test_locked_memory_grows_by_what_is_touched() -> None:
    body = permitted("lock_memory()")
    seen = in_child(
        f"{body}\n"
        "data = bytearray(8 << 20)\n"
        "print(next(x for x in open('/proc/self/status') if x.startswith('VmLck')))"
    )
    match = re.search(r"VmLck:\s+(\d+) kB", seen)
    assert match and int(match[1]) > 8 << 10


@pytest.mark.parametrize(
    ("body", "advice"),
    [("use_realtime(50)", "LimitRTPRIO=50"), ("lock_memory()", "LimitMEMLOCK=infinity")],
)
def test_without_leave_it_says_how_to_get_it(body: str, advice: str) -> None:
    attempt = f"try:\n    {body}\nexcept ConfigError as error:\n    print(error)"
    message = in_child(attempt, as_nobody=True)
    assert "is not permitted" in message and advice in message and "leave it out" in message


@pytest.mark.parametrize("priority", [-1, 100])
def test_a_priority_that_cannot_be_is_refused(priority: int) -> None:
    with pytest.raises(ConfigError, match=f"realtime = {priority}; expected .* from 1 to 99"):
        DaemonConfig(realtime=priority)


def test_cores() -> None:
    assert parse_cores("") == frozenset()
    assert parse_cores(str(CORE)) == {CORE}
    assert parse_cores(f"{CORE}-{CORE},{CORE}") == {CORE}
    for text in ("x", "1-", "-1", "1;2", ","):
        with pytest.raises(ConfigError, match="expected numbers such as"):
            parse_cores(text)
    with pytest.raises(ConfigError, match="expected some of the cores"):
        parse_cores("8000")


def test_a_pinned_thread_comes_back() -> None:
    before = os.sched_getaffinity(0)
    with pinned(frozenset({CORE})):
        assert os.sched_getaffinity(0) == {CORE}
    assert os.sched_getaffinity(0) == before
    with pinned(frozenset()):
        assert os.sched_getaffinity(0) == before


def test_the_networks_threads_stay_on_its_cores(shipped_model: Path) -> None:
    """As the daemon does it: the network loaded while pinned, everything else started before."""
    seen = in_child(
        "from roadmask.inference.engine import Engine\n"
        "def tasks(): return {int(t) for t in os.listdir('/proc/self/task')}\n"
        f"cores = parse_cores('{CORE}')\n"
        "before = tasks()\n"
        f"with pinned(cores): engine = Engine({str(shipped_model)!r}, 2)\n"
        "with pinned(cores): engine.invoke()\n"
        "print(len(tasks() - before),"
        " {tuple(os.sched_getaffinity(t)) for t in tasks() - before})"
    )
    assert seen == f"1 {{({CORE},)}}"


def test_a_rate_limit_holds_on_average_and_lets_even_frames_through() -> None:
    def passed(max_fps: float, source_fps: float, count: int = 300) -> list[int]:
        limit = RateLimit(max_fps, source_fps)
        stamps = [1_000_000_000 + round(i * 1e9 / source_fps) for i in range(count)]
        return [i for i, now in enumerate(stamps) if not limit.early_s(now)]

    assert len(passed(0, 30)) == 300
    assert len(passed(60, 30)) == len(passed(30, 30)) == 300
    assert passed(10, 30) == list(range(0, 300, 3))
    assert passed(15, 30) == list(range(0, 300, 2))
    assert len(passed(20, 30)) == 200  # two of three


def test_a_camera_that_stood_still_gives_no_burst() -> None:
    limit = RateLimit(10, 30)
    assert limit.early_s(1_000_000_000) == 0
    assert limit.early_s(9_000_000_000) == 0
    passed = [i for i in range(1, 31) if not limit.early_s(9_000_000_000 + i * 33_333_333)]
    assert len(passed) <= 11


def test_a_source_without_a_clock_is_slowed_down() -> None:
    limit = RateLimit(50, 25)
    assert limit.early_s(1_000_000_000) == 0
    assert limit.early_s(1_000_000_000) == pytest.approx(0.02)


def test_threads_that_cannot_be_started_are_refused_before_native_code_crashes() -> None:
    """Without memory for their stacks here; a limit of tasks gives the same error of Python's."""
    body = (
        "import resource\n"
        "from roadmask.errors import ConfigError\n"
        "from roadmask.inference.engine import Engine\n"
        "Engine('roadnet-480x352', 4)\n"
        "used = int(open('/proc/self/statm').read().split()[0]) * 4096\n"
        "resource.setrlimit(resource.RLIMIT_AS, (used + (64 << 20), -1))\n"
        "try:\n    Engine('roadnet-480x352', 64)\n"
        "except ConfigError as error:\n    print(error)\n"
        "print(threading.active_count())"
    )
    said, left = in_child(body).splitlines()
    assert re.match(
        r"--threads 64: only \d+ can be started here; give fewer.* limit of memory", said
    )
    assert left == "1"


def test_threads_that_were_tried_are_gone() -> None:
    """They were joined and still counted: the network's own came on top, or a limit had room."""
    body = (
        "for _ in range(50):\n"
        "    require_threads(60)\n"
        "    print(len(os.listdir('/proc/self/task')))"
    )
    assert set(in_child(body).split()) == {"1"}


@pytest.mark.parametrize("tasks", [2, 6, 12])
def test_a_limit_of_tasks_is_not_called_memory(tasks: int) -> None:
    """It was: 'raise the limit of tasks or of memory', 'try again with more memory'."""
    imports = (
        "import resource, signal, sys\n"
        "from roadmask.inference.worker_process import WorkerProcess\n"
        "from roadmask.system.command_line import run_command\n"
    )
    body = (
        f"resource.setrlimit(resource.RLIMIT_NPROC, ({tasks}, {tasks}))\n"
        "sys.stderr = sys.stdout\n"
        "def many():\n"
        "    while True: threading.Thread(target=signal.pause, daemon=True).start()\n"
        "for act in (lambda: require_threads(12), many, WorkerProcess):\n"
        "    assert run_command(act, verbose=False) == 2\n"
        "print(what_lacks(), flush=True)\n"
        "os._exit(0)"  # the threads wait for ever
    )
    said = in_child(body, as_nobody=True, first=imports)
    assert "memory" not in said
    network, thread, process, lacks = said.splitlines()
    tasks_full = "no further thread or process may start: raise the limit of tasks"
    assert re.match(r"roadmask: --threads 12: only \d can be.* raise the limit of tasks", network)
    assert thread.startswith(f"roadmask: {tasks_full}") and lacks.startswith(tasks_full)
    assert process.startswith(f"roadmask: the network's process did not start: {tasks_full}")


@pytest.mark.parametrize("count", [0, 65, 100_000])
def test_numbers_of_threads_that_no_network_takes(count: int) -> None:
    with pytest.raises(ConfigError, match=f"--threads {count}: expected a whole number from 1"):
        Engine("roadnet-480x352", count)


def test_a_want_of_memory_is_called_so() -> None:
    """It was an unreadable video."""
    body = (
        "import resource\n"
        "used = int(open('/proc/self/statm').read().split()[0]) * resource.getpagesize()\n"
        "resource.setrlimit(resource.RLIMIT_AS, (used + (40 << 20), -1))\n"
        "print(what_lacks())"
    )
    assert in_child(body).startswith("there is no memory left: raise the limit")
