from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from convert.judge.layer_errors import layer_errors, sqnr_db
from convert.quantise.layer_names import layer_name


def test_decibels() -> None:
    assert sqnr_db(100.0, 1.0) == pytest.approx(20)
    assert sqnr_db(1.0, 0.0) == 99 and sqnr_db(0.0, 1.0) == 0


def test_layers_are_named_after_their_convolution() -> None:
    tensor = "net_1/re_lu_3_1/Relu6;net_1/norm_3_1/batchnorm/add_1;net_1/conv2d_4_1/convolution"
    assert layer_name(tensor) == "conv2d_4"
    assert layer_name("net_1/add_2_1/Add") == "add_2"


def test_every_operator_has_its_error(keras_file: Path) -> None:
    from convert.quantise.converter import to_float, to_int8
    from convert.quantise.graph import export_graph
    from train.keras_file import load_keras

    graph = export_graph(load_keras(keras_file))
    rng = np.random.default_rng(2)
    samples = [rng.integers(0, 256, (64, 96, 3), np.uint8) for _ in range(2)]
    errors = layer_errors(to_float(graph), to_int8(graph, samples), samples, graph.normalisation)
    assert len(errors) > 40
    # The first layer sees exact pixels (half a step off): its error is that of its own output.
    assert errors[0].operator == "CONV_2D" and errors[0].sqnr_db > 25
    assert all(0 <= e.low <= 1 and 0 <= e.high <= 1 for e in errors)
    assert all(e.sqnr_db > 3 for e in errors)


def test_numbered_names_are_told_apart() -> None:
    # The second call of conv2d is conv2d_1 to TensorFlow, that of conv2d_1 then conv2d_1_2.
    names = {"conv2d": "conv2d", "conv2d_1": "conv2d_1", "re_lu": "conv2d", "re_lu_1": "conv2d_1"}
    assert layer_name("net_1/re_lu_1/Relu6;net_1/conv2d_1/convolution", names) == "conv2d"
    assert layer_name("net_1/re_lu_1_2/Relu6;net_1/conv2d_1_2/convolution", names) == "conv2d_1"
