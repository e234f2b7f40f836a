"""Numbers on the command line that cannot be meant are refused before anything is done."""

from __future__ import annotations

import pytest

from roadmask.cli.main import main


@pytest.mark.parametrize(
    ("command", "option", "expected"),
    [
        ("watch", "--frames=-1", "a whole number, 0 or more"),
        ("watch", "--frames=1.5", "a whole number, 0 or more"),
        ("watch", "--wait=nan", "a number from 0 to 1000000"),
        ("top", "--wait=nan", "a number from 0 to 1000000"),
        ("record --out x.mcap", "--wait=inf", "a number from 0 to 1000000"),
        ("demo", "--seconds=-1", "a number from 0.1 to 86400"),
        ("demo", "--seconds=x", "a number from 0.1 to 86400"),
    ],
)
def test_the_line_says_what_was_given_and_expected(
    command: str, option: str, expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*command.split(), option]) == 2
    name, value = option.split("=")
    last = capsys.readouterr().err.strip()
    assert last == f"roadmask: {name} {value}: expected {expected}"
