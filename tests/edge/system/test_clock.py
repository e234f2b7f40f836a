"""Other clocks beside CLOCK_BOOTTIME, bounded, in both languages."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from cpp_parts import driven

from roadmask import ClockMapping, clock_mapping
from roadmask.errors import ConfigError
from roadmask.system.clock import now_ns


def python_mapping(name: str) -> ClockMapping:
    return clock_mapping(name)


def cpp_mapping(name: str) -> ClockMapping:
    with driven("sets") as running:
        offset, bound, taken = map(int, running.ask(f"clock {name}").split())
    return ClockMapping(offset, bound, taken)


@pytest.mark.parametrize("taken", [python_mapping, cpp_mapping])
@pytest.mark.parametrize(
    ("name", "clock"), [("realtime", time.CLOCK_REALTIME), ("monotonic", time.CLOCK_MONOTONIC)]
)
def test_a_stamp_lies_within_the_bound(
    taken: Callable[[str], ClockMapping], name: str, clock: int
) -> None:
    mapping = taken(name)
    for _ in range(100):
        before, other, after = now_ns(), time.clock_gettime_ns(clock), now_ns()
        bound = mapping.bound_at(after)
        assert mapping.from_boottime(before) - bound <= other
        assert other <= mapping.from_boottime(after) + bound
        assert before - bound <= mapping.to_boottime(other) <= after + bound
    assert mapping.bound_ns > 0 and mapping.bound_at(mapping.taken_ns) == mapping.bound_ns
    assert mapping.bound_at(mapping.taken_ns + 10**9) == mapping.bound_ns + 10**6


def test_a_clock_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for name in ("sundial", str(tmp_path / "file"), "/dev/null"):
        with pytest.raises(ConfigError, match="expected"):
            clock_mapping(name)
        with driven("sets") as running:
            assert running.ask(f"clock {name}") == "none"
    with pytest.raises(ConfigError, match="cannot be read"):
        clock_mapping(12345)
