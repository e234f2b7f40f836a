"""Every fault of the table against a daemon of its own; one report."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from html import escape
from pathlib import Path
from typing import Any

from roadmask import __version__
from roadmask.system.hardware import read_device
from roadmask.tools.faults.camera import Camera
from roadmask.tools.faults.fault import Fault
from roadmask.tools.faults.holdings import shared_memory
from roadmask.tools.faults.patient import NotSeenError, Patient
from roadmask.tools.faults.processes import command

_DYING_S = 5.0  # a network's process sees once a second whether its daemon is there
_PAGE = """\
<!doctype html><html lang="en"><meta charset="utf-8"><title>roadmask faults</title>
<style>body{{font:15px sans-serif;margin:2em}}td,th{{padding:.3em .8em;text-align:left;
border-bottom:1px solid #ccc}}.passed{{color:#060}}.failed{{color:#b00;font-weight:bold}}
.skipped{{color:#777}}</style>
<h1>Faults: {passed} of {tried} as expected</h1>
<p>roadmask {version} on {device}. Times in seconds: until it was named, until all was well
again; in brackets what is allowed. S4's readers ({judges}) took {masks} masks, of which {too_old}
too old or of a bad mode. Afterwards each daemon held no more descriptors, threads and processes
than before, and left no file behind, or that is a remark.</p>
<table><tr><th>group<th>fault<th>expected<th>verdict<th>named<th>well again<th>masks taken
<th>remark</tr>
{rows}
</table></html>
"""


@dataclass(frozen=True)
class Outcome:
    """What came of one fault; times in seconds, None where there was nothing to wait for."""

    group: str
    name: str
    expected: str
    verdict: str  # passed, failed, skipped
    named_s: float | None = None
    named_limit_s: float | None = None
    again_s: float | None = None
    again_limit_s: float | None = None
    masks: tuple[int, ...] = ()  # that each of S4's readers took
    too_old: int = 0
    remark: str = ""


def try_fault(fault: Fault, subscribe: str = "") -> Outcome:
    """Inject it into a daemon of its own.

    Args:
        fault: what to do.
        subscribe: the C++ library's example, which judges too.
    """
    names = (fault.group, fault.name, fault.expected)
    if lacking := fault.needs():
        return Outcome(*names, "skipped", remark=lacking)
    with tempfile.TemporaryDirectory(prefix="roadmask-fault-") as place, Camera() as camera:
        folder = Path(place)
        (folder / "url").write_text(camera.url)
        if fault.name.startswith("absent"):
            camera.vanish()
        named_s = again_s = None
        remark, left = "", ""
        shared = shared_memory()
        with Patient(folder, camera, fault.arguments(folder), fault.before, subscribe) as patient:
            try:
                before = None
                if not fault.at_start:
                    patient.until("a mask", patient.well)
                    patient.await_judges()
                    before = patient.holds()
                fault.inject(patient)
                named_s = patient.until(
                    fault.expected, lambda: fault.seen(patient), max(60.0, 2 * fault.within_s)
                )
                if fault.cure is not None:
                    fault.cure(patient)
                    again_s = patient.until("a good mask", patient.well)
                    left = patient.left_behind(before) if before is not None else ""
            except NotSeenError as error:
                remark = str(error)
            engines = patient.engines()
        left = left or _of_the_dead(folder, engines, shared)
    late = named_s is not None and named_s > fault.within_s
    late |= again_s is not None and again_s > fault.again_s
    remark = remark or ("later than allowed" if late else "")
    remark = remark or (f"left behind: {left}" if left else "")
    too_old = sum(judge.too_old for judge in patient.judges)
    return Outcome(
        *names,
        "failed" if remark or too_old else "passed",
        None if named_s is None else round(named_s, 3),
        fault.within_s,
        None if again_s is None else round(again_s, 3),
        fault.again_s if fault.cure else None,
        tuple(judge.taken for judge in patient.judges),
        too_old,
        remark,
    )


def _of_the_dead(folder: Path, engines: list[int], shared: set[str]) -> str:
    """What a daemon that has ended left: files, processes of its network."""
    left = sorted(path.name for path in folder.glob("masks.sock*"))
    left += sorted(shared_memory() - shared)
    end_s = time.monotonic() + _DYING_S
    while running := [f"process {pid}" for pid in engines if "engine_worker" in command(pid)]:
        if time.monotonic() > end_s:
            break
        time.sleep(0.05)
    return ", ".join(left + running)


def try_all(
    faults: Iterable[Fault],
    tell: Callable[[Outcome], object] = lambda outcome: None,
    subscribe: str = "",
) -> dict[str, Any]:
    """The JSON object of ``roadmask faults``."""
    outcomes = []
    for fault in faults:
        outcomes.append(outcome := try_fault(fault, subscribe))
        tell(outcome)
    tried = [outcome for outcome in outcomes if outcome.verdict != "skipped"]
    return {
        "kind": "faults",
        "version": __version__,
        "device": read_device().to_json(),
        "judges": ["Python", "C++"][: 1 + bool(subscribe)],
        "tried": len(tried),
        "passed": sum(outcome.verdict == "passed" for outcome in tried),
        "masks": sum(sum(outcome.masks) for outcome in outcomes),
        "too_old": sum(outcome.too_old for outcome in outcomes),
        "faults": [asdict(outcome) for outcome in outcomes],
    }


def to_html(report: dict[str, Any]) -> str:
    """The same as a page."""
    rows = []
    for row in report["faults"]:
        cells = [
            escape(row["group"]),
            escape(row["name"]),
            escape(row["expected"]),
            f'<span class="{row["verdict"]}">{row["verdict"]}</span>',
            _time(row["named_s"], row["named_limit_s"]),
            _time(row["again_s"], row["again_limit_s"]),
            " + ".join(map(str, row["masks"])),
            escape(row["remark"]),
        ]
        rows.append("<tr>" + "".join(f"<td>{cell}" for cell in cells) + "</tr>")
    return _PAGE.format(
        passed=report["passed"],
        tried=report["tried"],
        version=escape(report["version"]),
        device=escape(report["device"]["name"]),
        judges=" and ".join(report["judges"]),
        masks=report["masks"],
        too_old=report["too_old"],
        rows="\n".join(rows),
    )


def _time(seconds: float | None, limit_s: float | None) -> str:
    return "" if seconds is None else f"{seconds:.2f} [{limit_s:g}]"
