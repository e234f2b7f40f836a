"""What ``make test-pythons`` reads from a run, and what it leaves of earlier ones in its table."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import pythons

RAN = "some.py::test_one PASSED\nSKIPPED [1] others.py:3: no such thing in 3 places\n"
CLOSING = "2 passed, 1 skipped in 899.47s (0:14:59)"


@pytest.mark.parametrize("frame", ["{}", "=== {} ===", "====== {}"])
def test_a_closing_line_is_read_however_much_pytest_says(frame: str) -> None:
    assert pythons.closing_line(f"{RAN}{frame.format(CLOSING)}\n") == CLOSING
    assert pythons.closing_line(RAN) == ""


def test_a_row_is_replaced_and_the_others_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = tmp_path / "testing.md"
    page.write_text(f"Before.\n\n{pythons.BEGIN}{pythons.END}\n\nAfter.\n")
    monkeypatch.setattr(pythons, "PAGE", page)
    pythons.write({"3.13": f"3.13.0: {CLOSING}", "3.10": "not installed"}, "all")
    pythons.write({"3.10": f"3.10.13: {CLOSING}"}, "stream")
    text = page.read_text()
    assert text.startswith("Before.\n") and text.endswith("\nAfter.\n")
    rows = [line.split(" | ")[:3] for line in text.splitlines() if line.startswith("| 3.")]
    assert rows == [
        ["| 3.10", f"3.10.13: {CLOSING}", "stream"],
        ["| 3.13", f"3.13.0: {CLOSING}", "all"],
    ]


def test_a_python_without_the_package_is_told_and_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It ended the whole run in a traceback, and the Pythons after it were not tried."""
    pip = tmp_path / "python"
    pip.write_text("#!/bin/sh\nexit 1\n")
    pip.chmod(0o755)
    monkeypatch.setattr(pythons, "FOLDER", tmp_path / "environments")
    monkeypatch.setattr(pythons, "interpreter", lambda _: str(pip))
    monkeypatch.setattr(sys, "argv", ["pythons.py", "--only", "3.10", "--only", "3.13"])
    assert pythons.main() == 1
    said = "the package could not be installed"
    assert capsys.readouterr().out == f"Python 3.10: {said}\nPython 3.13: {said}\n"
