from __future__ import annotations

import pytest

from roadmask.errors import first_line


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (RuntimeError("broken\nStack trace:\n  at x"), "broken"),
        (ValueError("\n\n   late   \nmore"), "late"),
        (OSError(2, "No such file"), "[Errno 2] No such file"),
        (KeyError(), "KeyError"),
        (RuntimeError("  \n "), "RuntimeError"),
        (RuntimeError("x" * 500), "x" * 160),
    ],
)
def test_a_foreign_error_becomes_one_line(error: Exception, said: str) -> None:
    assert first_line(error) == said
