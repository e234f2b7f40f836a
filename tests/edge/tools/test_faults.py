"""The table of faults is whole, and its verdicts can be told apart; all of it: roadmask faults."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest

from roadmask.cli.main import main
from roadmask.stream.modes import Mode, Reason
from roadmask.tools.faults.fault import Fault, nothing, says
from roadmask.tools.faults.run import to_html, try_all
from roadmask.tools.faults.table import TABLE


def test_the_table_has_forty_faults_of_all_groups() -> None:
    assert len(TABLE) >= 40
    assert len({(fault.group, fault.name) for fault in TABLE}) == len(TABLE)
    assert {fault.group for fault in TABLE} == {
        "camera",
        "network",
        "stream",
        "machine",
        "settings",
    }


def test_a_fault_is_named_and_over(tmp_path: Path) -> None:
    page, file = tmp_path / "faults.html", tmp_path / "faults.json"
    options = ["--only", "killed (-9)", "--only", "no model at all", "--only", "hangs for ever"]
    assert main(["faults", *options, "--json", str(file), "--html", str(page)]) == 0
    report = json.loads(file.read_text())
    assert (report["tried"], report["passed"], report["too_old"]) == (3, 3, 0)
    assert "3 of 3 as expected" in page.read_text()


def test_what_is_not_as_expected_fails() -> None:
    """A daemon that ends, where DARK was expected, and one that is well."""
    ends = Fault(
        "test", "<ends>", "DEGRADED DARK", lambda p: p.signal(signal.SIGKILL),
        says(Mode.DEGRADED, Reason.DARK),
    )  # fmt: skip
    skipped = Fault("test", "not here", "", nothing, says(None, Reason.NONE), needs=lambda: "root")
    report = try_all([ends, skipped])
    verdicts = [row["verdict"] for row in report["faults"]]
    assert verdicts == ["failed", "skipped"] and report["passed"] == 0
    assert "the daemon ended" in report["faults"][0]["remark"]
    assert "&lt;ends&gt;" in to_html(report)


def test_an_unknown_fault_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["faults", "--only", "earthquake"]) == 2
    assert "earthquake" in capsys.readouterr().err
