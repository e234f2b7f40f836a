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
        (["--schedule=cosin"], "did you mean cosine"),
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
        (["--epochs=0"], "--epochs 0: expected more than 0"),
        (["--learning-rate=inf"], "--learning-rate inf: expected more than 0"),
        (["--warmup-epochs=nan"], "--warmup-epochs nan: expected 0 or more"),
        (["--warmup-epochs=-1"], "--warmup-epochs -1.0: expected 0 or more"),
        (["--weight-decay=nan"], "--weight-decay nan: expected 0 or more"),
        (["--patience=-1"], "--patience -1: expected 0 or more"),
        (["--seed=-1"], "--seed -1: expected 0 to 4294967295"),
        (["--seed=4294967296"], "--seed 4294967296: expected 0 to 4294967295"),
    ],
)
def test_one_line_and_exit_code_2(
    arguments: list[str], words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    assert main([*ARGUMENTS, *arguments, "--out", str(out)]) == 2
    error = capsys.readouterr().err.strip().splitlines()
    assert len(error) == 1
    assert words in error[0]
    assert not list(out.glob("*"))


def test_a_small_share_gives_one_sample_at_least(tmp_path: Path) -> None:
    from train.__main__ import _parser
    from train.data.loader import TrainingData
    from train.options import prepare

    options = _parser().parse_args([*ARGUMENTS, "--mix", "town=1e-6", "--out", str(tmp_path)])
    _, parts, _ = prepare(options)
    assert parts[1].samples == 1
    images, masks = TrainingData(parts, size=(64, 32), batch_size=2, seed=1)[0]
    assert images.shape == (2, 32, 64, 3) and masks.shape == (2, 32, 64)
