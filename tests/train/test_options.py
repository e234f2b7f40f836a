"""Options that cannot be used end with one line that names them, before anything is written."""

from __future__ import annotations

from pathlib import Path

import pytest

from train.__main__ import main

ARGUMENTS = ["--dataset", "town", "--size", "64x32", "--val-split", "none", "--epochs", "1"]


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--mix", "town"),
        ("--mix", "town=nan"),
        ("--mix", "town=0"),
        ("--mix", "town=-0.5"),
        ("--mix", "town=1"),
        ("--epochs", "0"),
        ("--learning-rate", "inf"),
        ("--warmup-epochs", "nan"),
        ("--warmup-epochs", "-1"),
        ("--weight-decay", "nan"),
        ("--weight-decay", "-1"),
        ("--patience", "-1"),
        ("--seed", "-1"),
        ("--seed", "4294967296"),
    ],
)
def test_one_line_and_exit_code_2(
    tmp_path: Path, option: str, value: str, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    assert main([*ARGUMENTS, f"{option}={value}", "--out", str(out)]) == 2
    error = capsys.readouterr().err.strip().splitlines()
    assert len(error) == 1 and option in error[0] and value in error[0] and "expected" in error[0]
    assert not out.exists()


def test_shares_of_a_mixture_leave_something_of_the_data_set(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mix = ["--mix", "town=0.5", "--mix", "town=0.5"]
    assert main([*ARGUMENTS, *mix, "--out", str(tmp_path)]) == 2
    assert "--mix: the shares add up to 1: expected less than 1" in capsys.readouterr().err


def test_a_small_share_gives_one_sample_at_least(tmp_path: Path) -> None:
    from train.__main__ import _parser
    from train.data import TrainingData
    from train.options import prepare

    options = _parser().parse_args([*ARGUMENTS, "--mix", "town=1e-6", "--out", str(tmp_path)])
    _, parts, _ = prepare(options)
    assert parts[1].samples == 1
    images, masks = TrainingData(parts, size=(64, 32), batch_size=2, seed=1)[0]
    assert images.shape == (2, 32, 64, 3) and masks.shape == (2, 32, 64)
