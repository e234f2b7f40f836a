"""The mean of the weights of several runs."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest

from train.__main__ import main
from train.keras_file import load_keras, network_file


def network(path: Path, units: int, value: float) -> Path:
    image = keras.Input((8, 8, 3))
    model = keras.Model(image, keras.layers.Conv2D(units, 1)(image), name="mine")
    model.set_weights([np.full(weight.shape, value, np.float32) for weight in model.get_weights()])
    model.save(path)
    return path


def test_every_weight_is_the_mean(tiny_run: Path, tmp_path: Path) -> None:
    first = network_file(tiny_run, "run")
    model = load_keras(first)
    weights = model.get_weights()
    model.set_weights([3 * weight for weight in weights])
    model.save(tmp_path / "thrice.keras")
    out = tmp_path / "new" / "mean.keras"
    out.parent.mkdir()
    assert main(["average", str(tiny_run), str(tmp_path / "thrice.keras"), "--out", str(out)]) == 0
    mean = load_keras(out)
    assert mean.name == model.name  # so that --weights and --teacher take it
    for got, weight in zip(mean.get_weights(), weights, strict=True):
        np.testing.assert_allclose(got, 2 * weight, rtol=1e-6)


def test_a_packed_mean_is_the_mean_in_float16_at_half_the_size(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As the networks in train/weights lie there."""
    runs = [tmp_path / "a.keras", tmp_path / "b.keras"]
    image = keras.Input((8, 8, 3))
    model = keras.Model(image, keras.layers.Conv2D(512, 3)(image), name="mine")
    rng = np.random.default_rng(1)
    for path in runs:
        model.set_weights([rng.normal(size=w.shape) for w in model.get_weights()])
        model.save(path)
    files = {form: tmp_path / f"{form or 'whole'}.keras" for form in ("", "--packed")}
    for form, out in files.items():
        assert main(["average", *map(str, runs), "--out", str(out), *filter(None, [form])]) == 0
    assert "in float16" in capsys.readouterr().out.splitlines()[-1]
    whole, packed = (load_keras(path).get_weights() for path in files.values())
    for rounded, weight in zip(packed, whole, strict=True):
        assert not np.array_equal(weight, weight.astype(np.float16))
        np.testing.assert_array_equal(rounded, weight.astype(np.float16))
    assert files["--packed"].stat().st_size < 0.6 * files[""].stat().st_size
    model.set_weights([np.full(w.shape, 1e5, np.float32) for w in model.get_weights()])
    for path in runs:
        model.save(path)
    out = tmp_path / "beyond.keras"
    assert main(["average", *map(str, runs), "--packed", "--out", str(out)]) == 2
    assert "mine has weights beyond float16's 65504" in capsys.readouterr().err
    assert not out.exists()


@pytest.mark.parametrize(
    ("names", "out", "words"),
    [
        (["a.keras"], "mean.keras", "a.keras alone: expected two runs or more"),
        (["a.keras", "b.keras"], "mean.h5", "mean.h5: expected a name that ends in .keras"),
        (["a.keras", "none"], "mean.keras", "none: expected a .keras file or the folder"),
        (["a.keras", "wide.keras"], "mean.keras", "expected one architecture"),
        (["a.keras", "cut.keras"], "mean.keras", "the archive is cut off"),
    ],
)
def test_what_has_no_mean_is_one_line(
    names: list[str], out: str, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = network(tmp_path / "a.keras", 4, 1).read_bytes()
    network(tmp_path / "b.keras", 4, 2)
    network(tmp_path / "wide.keras", 5, 2)
    (tmp_path / "cut.keras").write_bytes(data[: len(data) // 2])
    paths = [str(tmp_path / name) for name in names]
    assert main(["average", *paths, "--out", str(tmp_path / out)]) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert words in line
    assert not (tmp_path / out).exists()
