"""What ``roadmask watch`` takes, and how it marks it."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from stream_parts import publish, wait_for

from roadmask.errors import CaptureError
from roadmask.stream.modes import Flag, Mode, Reason
from roadmask.stream.publish.publisher import Publisher
from roadmask.system.clock import now_ns
from roadmask.tools import watch


def test_everything_is_taken_and_marked_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines: list[str] = []
    monkeypatch.setattr(watch.LiveLine, "show", lambda self, text: lines.append(text))
    stop = threading.Event()
    path = tmp_path / "masks.sock"
    with Publisher(path, mask_size=(8, 8)) as publisher:

        def run() -> None:
            flags, reasons = Flag.FILE | Flag.AGE_UNKNOWN, Reason.FROZEN | Reason.DARK
            while not stop.wait(0.005):
                publish(publisher, mode=Mode.DEGRADED, reasons=reasons, flags=flags)

        thread = threading.Thread(target=run)
        thread.start()
        try:
            seen = watch.watch(str(path), frames=2, stop=threading.Event())
        finally:
            stop.set()
            thread.join()
    assert seen["modes"] == {"DEGRADED": 2}
    assert "DEGRADED DARK|FROZEN NOT LIVE (FILE) AGE UNKNOWN" in lines[-1]


def test_an_older_mask_is_taken_when_that_is_said(tmp_path: Path) -> None:
    """The stream allows ten seconds; without the option 250 ms hold."""
    path = tmp_path / "masks.sock"
    with Publisher(path, mask_size=(8, 8), max_age_ms=10_000) as publisher:
        stop = threading.Event()

        def run() -> None:
            while not stop.wait(0.005):
                publish(publisher, capture_ns=now_ns() - 1_000_000_000)

        thread = threading.Thread(target=run)
        thread.start()
        try:

            def told() -> bool:
                """Refused; for its age, once the publisher has had a core in that time."""
                with pytest.raises(CaptureError) as error:
                    watch.watch(str(path), frames=1, wait_s=0.5, stop=threading.Event())
                return "older than allowed" in str(error.value)

            wait_for(told, "its age is named")
            limit = {"max_age_ms": 5_000.0}
            seen = watch.watch(str(path), frames=1, stop=threading.Event(), **limit)
        finally:
            stop.set()
            thread.join()
    assert seen["frames"] == 1
