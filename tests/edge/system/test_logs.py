"""One log for all commands: a line each, bounded, in three forms."""

from __future__ import annotations

import json
import logging
import subprocess
import sys

import pytest

from roadmask.system.logs import RateLimitFilter

SCRIPT = """
import logging, sys
from roadmask.system.logs import set_up_logs
set_up_logs(sys.argv[1])
log = logging.getLogger("roadmask.daemon.start")
log.info("ready %s", "here")
log.warning("two\\nlines")
log.error("bad")
log.debug("never")
"""


def lines(kind: str, **environment: str) -> list[str]:
    command = [sys.executable, "-c", SCRIPT, kind]
    return subprocess.run(command, capture_output=True, text=True, check=True).stderr.splitlines()


def test_text_and_journal() -> None:
    expected = ["roadmask: ready here", "roadmask: two lines", "roadmask: bad"]
    assert lines("text") == lines("auto") == expected
    assert lines("journal") == [f"<{n}>{line}" for n, line in zip((6, 4, 3), expected, strict=True)]


def test_json() -> None:
    rows = [json.loads(line) for line in lines("json")]
    assert [(row["level"], row["part"], row["text"]) for row in rows] == [
        ("info", "daemon.start", "ready here"),
        ("warning", "daemon.start", "two lines"),
        ("error", "daemon.start", "bad"),
    ]
    assert all(row["time_ns"] > 0 for row in rows)


def test_journald_is_known_by_its_stream() -> None:
    script = (
        "import os, sys; s = os.fstat(2); os.environ['JOURNAL_STREAM'] = f'{s.st_dev}:{s.st_ino}'\n"
        "sys.argv = ['', 'auto']\n" + SCRIPT
    )
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert result.stderr.startswith("<6>roadmask: ready here")


def test_a_full_disk_loses_lines_alone() -> None:
    script = SCRIPT + "print('alive')"
    with open("/dev/full", "w") as full:  # noqa: PTH123 - a device
        result = subprocess.run(
            [sys.executable, "-c", script, "text"], stdout=subprocess.PIPE, stderr=full, text=True
        )
    assert (result.returncode, result.stdout) == (0, "alive\n")


@pytest.mark.parametrize("flood", [11, 5000])
def test_what_repeats_is_counted(flood: int) -> None:
    clock = [0.0]
    limit = RateLimitFilter(lambda: clock[0])

    def passed(text: str, value: int) -> str | None:
        record = logging.LogRecord("roadmask.x", logging.INFO, "", 1, text, (value,), None)
        return record.getMessage() if limit.filter(record) else None

    shown = [passed("frame %d lost", n) for n in range(flood)]
    assert sum(line is not None for line in shown) == 10
    assert passed("camera %d back", 1) == "camera 1 back"
    clock[0] = 10.0
    assert passed("frame %d lost", 7) == f"frame 7 lost (and {flood - 10} more like it before)"
    assert passed("frame %d lost", 8) == "frame 8 lost"
