"""The daemon that a benchmark starts: what a subscriber gets of it."""

from __future__ import annotations

from pathlib import Path

from benchmarks.daemonrun import run_daemon

_TOWN = "synthetic:town?seed=1&width=160&height=96&prerender=4&fps=100"


def test_masks_of_a_slow_network_count_too(int8_file: Path) -> None:
    # As the user's limit would make them STALE: here each is older than 1 ms, as with a large
    # network each is older than the default of 250 ms.
    arguments = ["--model", str(int8_file), "--source", _TOWN, "--max-age-ms", "1"]
    run = run_daemon(arguments, 5)
    assert len(run.rows) == 5 and len(run.outside.received_ns) > 0
