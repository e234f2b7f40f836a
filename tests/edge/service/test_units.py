"""The files that make it a service: read by systemd's own tools where they are installed."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

import roadmask

FOLDER = Path(roadmask.__file__).parent / "service"
MOST_EXPOSED = 2.0


def tool(*command: str) -> subprocess.CompletedProcess[str]:
    if shutil.which(command[0]) is None:
        pytest.skip(f"no {command[0]}")
    return subprocess.run(command, capture_output=True, text=True)


def test_the_service_is_closed_in() -> None:
    unit = FOLDER / "roadmask@.service"
    result = tool("systemd-analyze", "security", "--offline=true", "--no-pager", str(unit))
    if "Unknown" in result.stderr or "unrecognized" in result.stderr:
        pytest.skip("a systemd without offline analysis")
    words = result.stdout.split("Overall exposure level")[1].split()
    assert float(words[words.index("roadmask@i.service:") + 1]) <= MOST_EXPOSED


def test_a_crash_loop_is_no_end_and_the_watchdog_is_on() -> None:
    text = (FOLDER / "roadmask@.service").read_text()
    for line in ("StartLimitIntervalSec=0", "Restart=always", "Type=notify", "WatchdogSec=5"):
        assert f"\n{line}\n" in text


@pytest.mark.parametrize("name", ["sysusers", "tmpfiles"])
def test_users_and_folders_are_read(name: str, tmp_path: Path) -> None:
    result = tool(
        f"systemd-{name}", "--dry-run", f"--root={tmp_path}", str(FOLDER / f"{name}.conf")
    )
    if "unrecognized option" in result.stderr:
        pytest.skip(f"a systemd-{name} without --dry-run")
    assert result.returncode == 0, result.stderr


def test_every_group_of_the_unit_is_made() -> None:
    """A clean Debian has no group render, and the unit did not start there (status 216)."""
    unit = (FOLDER / "roadmask@.service").read_text()
    (named,) = re.findall(r"^SupplementaryGroups=(.*)$", unit, re.MULTILINE)
    made = re.findall(r"^g (\w+) ", (FOLDER / "sysusers.conf").read_text(), re.MULTILINE)
    assert {"roadmask", *named.split()} <= set(made)


def test_a_reload_needs_no_program_that_a_small_debian_lacks() -> None:
    """Its own /bin/kill belongs to procps, which is not there."""
    unit = (FOLDER / "roadmask@.service").read_text()
    assert 'ExecReload=/bin/sh -c "kill -HUP $MAINPID"' in unit
