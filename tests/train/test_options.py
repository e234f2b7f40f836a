"""Options that cannot be used end with one line that names them, before anything is trained."""

from __future__ import annotations

from pathlib import Path

import pytest

from train.__main__ import main

ARGUMENTS = ["--dataset", "town", "--size", "64x32", "--val-split", "none", "--epochs", "1"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--dataset=camvid", "--root=/nowhere"], "/nowhere"),
        (["--dataset=cityscape", "--root=."], "did you mean cityscapes"),
        (["--model=roadnett"], "did you mean roadnet"),
        (["--size=100x64"], "multiples of 32"),
        (["--hold-out=nothing"], "no frame"),
        (["--schedule=cosin"], "--schedule cosin: expected cosine or poly"),
        (["--precision=float16"], "mixed_float16"),
        (["--labels=cityscapes-91"], "did you mean cityscapes-19"),
        (["--devices=3"], "multiple of --devices"),
        (["--devices=2"], "KERAS_BACKEND=jax"),
        (["--mix=camvid"], "--mix 'camvid': expected NAME[:ROOT]=SHARE"),
        (["--mix=town=nan"], "more than 0 and less than 1"),
        (["--mix=town=0"], "more than 0 and less than 1"),
        (["--mix=town=-0.5"], "more than 0 and less than 1"),
        (["--mix=town=1"], "less than 1"),
        (["--mix=town=0.5", "--mix=town=0.5"], "the shares add up to 1: expected less than 1"),
        (["--mix=town=0.5", "--spoilt=0.5"], "the shares add up to 1: expected less than 1"),
        (["--spoilt=1"], "--spoilt 1: expected a number from 0 to 0.99"),
        (["--epochs=0"], "--epochs 0: expected a whole number, 1 or more"),
        (["--learning-rate=inf"], "--learning-rate inf: expected a number, 1e-09 or more"),
        (["--warmup-epochs=nan"], "--warmup-epochs nan: expected a number from 0"),
        (["--warmup-epochs=-1"], "--warmup-epochs -1: expected a number from 0"),
        (["--weight-decay=nan"], "--weight-decay nan: expected a number from 0"),
        (["--patience=-1"], "--patience -1: expected a whole number, 0 or more"),
        (["--seed=-1"], "--seed -1: expected a whole number from 0 to 4294967295"),
        (["--own-bonnet=nan"], "--own-bonnet nan: expected a number from 0 to 0.99"),
        (["--checkpoint-every=inf"], "--checkpoint-every inf: expected a number from 0"),
        (["--seed=4294967296"], "--seed 4294967296: expected a whole number from 0 to 4294967295"),
    ],
)
def test_one_line_and_exit_code_2(
    arguments: list[str], words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    try:
        code = main([*ARGUMENTS, *arguments, "--out", str(out)])
    except SystemExit as end:  # of argparse
        code = end.code
    assert code == 2
    error = capsys.readouterr().err.strip().splitlines()
    assert len(error) == 1
    assert words in error[0]
    assert not list(out.glob("*"))


def test_a_small_share_gives_one_sample_at_least(tmp_path: Path) -> None:
    from train.command import training_parser
    from train.data.loader import TrainingData
    from train.options import prepare

    options = training_parser().parse_args(
        [*ARGUMENTS, "--mix", "town=1e-6", "--out", str(tmp_path)]
    )
    _, parts, _ = prepare(options)
    assert parts[1].samples == 1
    images, masks = TrainingData(parts, size=(64, 32), batch_size=2, seed=1)[0]
    assert images.shape == (2, 32, 64, 3) and masks.shape == (2, 32, 64)
