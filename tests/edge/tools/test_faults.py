"""The table of faults is whole, and its verdicts can be told apart; all of it: roadmask faults."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from cpp_parts import program
from stream_parts import wait_for

from roadmask.cli.main import main
from roadmask.stream.modes import Mode, Reason
from roadmask.tools.faults import patient as patients
from roadmask.tools.faults.fault import Fault, goes_on, nothing, says
from roadmask.tools.faults.judges import CppJudge
from roadmask.tools.faults.patient import Patient
from roadmask.tools.faults.run import to_html, try_all, try_fault
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


# In namespaces of its own, where the next process's number can be chosen.
_NUMBERED = """
import os, subprocess
from pathlib import Path
from roadmask.tools.faults.processes import children
started = []
def uptime_s(): return float(Path("/proc/uptime").read_text().split()[0])
for number in (30000, 300):
    Path("/proc/sys/kernel/ns_last_pid").write_text(str(number))
    started.append(subprocess.Popen(["sleep", "60"]).pid)
    begun_s = uptime_s()
    while uptime_s() < begun_s + 0.025: pass  # its file's other number moves by itself
print(started == children(os.getpid()), started[0] > started[1])
"""


def test_the_older_process_is_the_one_that_began_before() -> None:
    enter = ["unshare", "--user", "--map-root-user", "--pid", "--fork", "--mount-proc"]
    enter += ["--kill-child", sys.executable, "-c", _NUMBERED]
    try:
        result = subprocess.run(enter, capture_output=True, text=True)
    except OSError:
        pytest.skip("no unshare")
    if "unshare:" in result.stderr:
        pytest.skip(result.stderr.strip())
    assert result.stdout.split() == ["True", "True"], result.stderr


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


def _keep_a_connection(patient: Patient) -> None:
    peer = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    peer.connect(str(patient.socket))
    patient.kept.append(peer)


def test_both_clients_judge_and_what_is_left_behind_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(patients, "_LET_GO_S", 0.5)
    fault = Fault("test", "a connection that stays", "masks", _keep_a_connection, goes_on, 60.0)
    outcome = try_fault(fault, program("subscribe"))
    assert len(outcome.masks) == 2 and all(outcome.masks) and outcome.too_old == 0
    assert outcome.verdict == "failed"
    assert outcome.remark == "left behind: 1 x descriptor socket:[]"


def test_the_cpp_readers_lines_are_judged(tmp_path: Path) -> None:
    said = tmp_path / "said.py"
    said.write_text(
        f"#!{sys.executable}\n"
        "print('mask 1 OK age 12.3 ms, free 4.00 m')\n"
        "print('mask 2 DEGRADED LOW_RATE|DARK age 1199.0 ms, free 4.00 m, carefully')\n"
        "print('stop: no mask: the mode is STALE')\n"
        "print('mask 3 DEGRADED LOW_RATE age 1201.0 ms, free 4.00 m')\n"
        "print('mask 4 STALE FROZEN age 5.0 ms, free 4.00 m')\n"
    )
    said.chmod(0o755)
    with CppJudge(str(said), tmp_path / "none", 1000) as judge:
        wait_for(lambda: judge.taken == 4, "four masks")
    assert judge.too_old == 2


def test_a_program_that_is_none_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["faults", "--only", "SIGHUP", "--subscribe", "/nowhere/subscribe"]) == 2
    assert "/nowhere/subscribe" in capsys.readouterr().err


def test_an_unknown_fault_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["faults", "--only", "earthquake"]) == 2
    assert "earthquake" in capsys.readouterr().err
