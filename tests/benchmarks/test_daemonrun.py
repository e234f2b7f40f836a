"""The daemon that a benchmark starts: what a subscriber gets of it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from benchmarks.daemon.process import run_daemon, start, wait_for_first_mask
from roadmask.errors import ConfigError

_TOWN = "synthetic:town?seed=1&width=160&height=96&prerender=4&fps=100"


def test_masks_of_a_slow_network_count_too(int8_file: Path) -> None:
    # As the user's limit would make them STALE: here each is older than 1 ms, as with a large
    # network each is older than the default of 250 ms.
    arguments = ["--model", str(int8_file), "--source", _TOWN, "--max-age-ms", "1"]
    run = run_daemon(arguments, 5)
    assert len(run.rows) == 5 and len(run.outside.received_ns) > 0


def test_a_daemon_without_masks_is_told_from_one_that_ended(tmp_path: Path) -> None:
    socket = tmp_path / "masks.sock"
    with start([sys.executable, "-c", ""]) as ended, pytest.raises(ConfigError, match="ended"):
        wait_for_first_mask(socket, ended)
    with start([sys.executable, "-c", "import signal; signal.pause()"]) as silent:
        try:
            with pytest.raises(ConfigError, match=r"no mask in 0.2 s"):
                wait_for_first_mask(socket, silent, limit_s=0.2)
        finally:
            silent.kill()
