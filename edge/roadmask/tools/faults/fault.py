"""What a fault is: how it is injected, what the stream must say, how soon it must be over."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from roadmask.stream.modes import Mode, Reason
from roadmask.tools.faults.patient import NotSeenError, Patient

Act = Callable[[Patient], object]


def nothing(patient: Patient) -> None:
    """No act."""


@dataclass(frozen=True)
class Fault:
    """One row of the table.

    Attributes:
        group, name: for the report.
        expected: in words.
        inject: does it, to a daemon that is well, unless ``at_start``.
        seen: what must hold then.
        within_s: at most so long after.
        cure: takes the cause away; None where the daemon's end is what is expected.
        again_s: at most so long after that until all is well.
        arguments: of the daemon, given an empty folder.
        before: a command line that runs the daemon's.
        at_start: the fault is there before the daemon is.
        needs: why it cannot be tried here, "" for nothing.
    """

    group: str
    name: str
    expected: str
    inject: Act
    seen: Callable[[Patient], object]
    within_s: float = 5.0
    cure: Act | None = nothing
    again_s: float = 10.0
    arguments: Callable[[Path], tuple[str, ...]] = lambda folder: ()
    before: tuple[str, ...] = ()
    at_start: bool = False
    needs: Callable[[], str] = lambda: ""


def says(mode: Mode | None, reasons: Reason) -> Callable[[Patient], object]:
    """The stream says that."""
    return lambda patient: patient.shows(mode, reasons)


def logged(text: str) -> Callable[[Patient], object]:
    """The log says that."""
    return lambda patient: text in patient.said


def refused(text: str) -> Callable[[Patient], object]:
    """The daemon ended with exit code 2, and its last line says that."""

    def seen(patient: Patient) -> bool:
        if patient.process.poll() is None:
            return False
        lines = patient.said.strip().splitlines()
        if patient.process.returncode != 2 or text not in (lines or [""])[-1]:
            raise NotSeenError(f"exit code {patient.process.returncode}: {patient.said[-300:]}")
        return True

    return seen


def goes_on(patient: Patient) -> bool:
    """Masks that can be used keep coming: a second of them, by their numbers."""
    first = patient.stream.receive(timeout_s=5.0, copy=False)
    if first is None:
        raise NotSeenError(patient.state())
    number, stream = first.sequence, first.stream_id
    patient.until("a second of masks", lambda: _past(patient, number + 10, stream), 20)
    return patient.process.poll() is None


def _past(patient: Patient, number: int, stream_id: int) -> bool:
    mask = patient.stream.receive(timeout_s=0.0, copy=False)
    return mask is not None and mask.stream_id == stream_id and mask.sequence >= number


def root_needed() -> str:
    """Why not, where this is not root's."""
    return "" if os.geteuid() == 0 else "needs root"
