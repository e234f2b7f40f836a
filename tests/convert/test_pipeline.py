from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from convert.__main__ import main
from tests.convert.conftest import Converted


def test_a_missed_gate_quarantines_the_same_bytes_and_leaves_out_alone(
    converted: Converted, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "other-name.tflite"
    out.write_bytes(b"the model of last week")
    arguments = [*converted.arguments, "--max-latency-ms", "0.0000001", "--out", str(out)]
    assert main(arguments) == 1
    assert "rejected: invoke takes" in capsys.readouterr().err
    assert out.read_bytes() == b"the model of last week"
    report = json.loads((tmp_path / "other-name.rejected.json").read_text())
    assert not report["accepted"] and "invoke takes" in report["missed"][0]
    # The same input a second time: the same bytes.
    quarantined = tmp_path / "other-name.rejected.tflite"
    assert quarantined.read_bytes() == converted.model.read_bytes()


@pytest.mark.slow
def test_wild_channel_ranges_are_noticed(
    keras_file: Path, converted: Converted, tmp_path: Path
) -> None:
    from convert.quiet import import_tensorflow

    import_tensorflow()
    import keras

    model = keras.saving.load_model(keras_file, compile=False)
    # A layer whose channels differ by five orders of magnitude in what they put out: per-tensor
    # activations of 8 bits cannot hold the small ones.
    norm = [x for x in model.layers if isinstance(x, keras.layers.BatchNormalization)][1]
    gamma, *rest = norm.get_weights()
    norm.set_weights([gamma * np.geomspace(1e-4, 10, gamma.size).astype(np.float32), *rest])
    wild = tmp_path / "wild.keras"
    model.save(wild)
    out = tmp_path / "wild.tflite"
    arguments = [str(wild), *converted.arguments[1:], "--out", str(out)]
    assert main(arguments) == 0
    report = json.loads(out.with_suffix(".json").read_text())
    reference = json.loads(converted.report.read_text())
    assert report["pixel_agreement"] < reference["pixel_agreement"]
