"""Numbers on the command line that cannot be meant are refused before anything is done."""

from __future__ import annotations

from pathlib import Path

import pytest

from roadmask.cli.main import main


@pytest.mark.parametrize(
    ("command", "option", "expected"),
    [
        ("watch", "--frames=-1", "a whole number, 0 or more"),
        ("watch", "--frames=1.5", "a whole number, 0 or more"),
        ("watch", "--wait=nan", "a number, 0 or more"),
        ("top", "--wait=nan", "a number, 0 or more"),
        ("record --out x.mcap", "--wait=inf", "a number, 0 or more"),
        ("demo", "--seconds=-1", "a number, 0.1 or more"),
        ("demo", "--seconds=x", "a number, 0.1 or more"),
    ],
)
def test_the_line_says_what_was_given_and_expected(
    command: str, option: str, expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        main([*command.split(), option])
    assert end.value.code == 2
    name, value = option.split("=")
    last = capsys.readouterr().err.strip().splitlines()[-1]
    assert name in last and f"{value!r}: expected {expected}" in last


@pytest.mark.parametrize("value", ["nan", "inf", "-1"])
def test_a_rate_that_is_no_rate(
    value: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["run", "--source", "synthetic:town", "--socket", str(tmp_path / "m.sock")]
    assert main([*arguments, f"--max-fps={value}"]) == 2
    assert capsys.readouterr().err.strip() == (
        f"roadmask: --max-fps {value}: expected 0 (no limit) or more"
    )
