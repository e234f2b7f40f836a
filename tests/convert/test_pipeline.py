from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from convert.__main__ import main
from roadmask.town.town import Town
from tests.convert.conftest import Converted


def test_a_missed_gate_quarantines_the_same_bytes_and_leaves_out_alone(
    converted: Converted,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    drawn: list[int] = []
    draw = Town.frame
    monkeypatch.setattr(Town, "frame", lambda town, n: drawn.append(n) or draw(town, n))
    out = tmp_path / "other-name.tflite"
    out.write_bytes(b"the model of last week")
    # A gate of accuracy, so that nothing is timed: test_gates.py has that of latency.
    arguments = [*converted.arguments, "--min-miou", "100", "--out", str(out)]
    assert main(arguments) == 1
    assert "the gate is 100" in capsys.readouterr().err
    assert out.read_bytes() == b"the model of last week"
    report = json.loads((tmp_path / "other-name.rejected.json").read_text())
    assert not report["accepted"] and "the gate is 100" in report["missed"][0]
    # Of what is rejected no drive is drawn; the report says why.
    assert report["latency"] is None and report["skipped"] == f"not measured: {report['missed'][0]}"
    assert report["accuracy"]["float"]["flicker"] is report["accuracy"]["int8"]["flicker"] is None
    assert len(drawn) == 3, "the golden frames alone"
    # The same input a second time: the same bytes.
    quarantined = tmp_path / "other-name.rejected.tflite"
    assert quarantined.read_bytes() == converted.model.read_bytes()


@pytest.mark.slow
def test_a_network_made_hard_is_rejected_and_repaired_by_naming_the_layer(tmp_path: Path) -> None:
    """The shipped network with one layer whose channels differ by a factor of 64.

    The next layer undoes it: in float nothing is lost, in per-tensor 8 bits half of the channels
    keep 4 steps.
    """
    from convert.tensorflow_import import import_tensorflow

    import_tensorflow()
    import keras

    from train.keras_file import load_keras

    weights = Path(__file__).parents[2] / "train" / "weights" / "roadnet-480x352.keras"
    model = load_keras(weights)
    norm = next(x for x in model.layers if isinstance(x, keras.layers.BatchNormalization))
    first, second = [x for x in model.layers if isinstance(x, keras.layers.Conv2D)][:2]
    gamma, beta, *statistics = norm.get_weights()
    factor = np.where(np.arange(gamma.size) % 2, 64, 1).astype(np.float32)
    norm.set_weights([gamma / factor, beta / factor, *statistics])
    second.set_weights([second.get_weights()[0] * factor[:, None]])
    hard = tmp_path / "hard.keras"
    model.save(hard)
    arguments = [str(hard), "--eval-count", "12", "--latency-frames", "20", "--no-history"]
    assert main([*arguments, "--out", str(tmp_path / "plain.tflite")]) == 1
    rejected = json.loads((tmp_path / "plain.rejected.json").read_text())
    assert any("fell by" in sentence for sentence in rejected["missed"])

    out = tmp_path / "repaired.tflite"
    assert main([*arguments, "--repair", "--out", str(out)]) == 0
    report = json.loads(out.with_suffix(".json").read_text())
    assert first.name in report["float_layers"] and len(report["float_layers"]) <= 2
    assert report["repair"]["missed_before"]
    assert report["float_operators"] and report["certificate"]["operators"]["CONV_2D"] == 31
    assert first.name in out.with_suffix(".html").read_text()
