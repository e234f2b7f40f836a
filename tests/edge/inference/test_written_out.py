"""A softmax or a sigmoid at a network's end, its operators written out or not: as sure as one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from contract_parts import U8, Row, engine_of, expected
from network_parts import HEIGHT, WIDTH, Net

from roadmask.inference.postprocess import Postprocess
from roadmask.inference.preprocess import Preprocess


def confidences(net: Net, folder: Path) -> npt.NDArray[np.uint8]:
    engine = engine_of(Row("", net), folder)
    image, _ = expected(net, engine.labels)
    Preprocess(engine, (WIDTH, HEIGHT)).into(image, engine.input)
    engine.invoke()
    mask, plane = np.empty((2, HEIGHT, WIDTH), np.uint8)
    Postprocess(engine).into(mask, plane)
    return plane


def test_a_softmax_in_the_graph_changes_no_confidence(tmp_path: Path) -> None:
    logits = replace(U8, gain=0.003)
    plain = confidences(logits, tmp_path)
    assert plain.min() > 128 and plain.max() < 240
    ended = confidences(replace(logits, end="softmax"), tmp_path)
    assert np.abs(plain.astype(int) - ended).max() <= 3  # a margin is counted in sixteenths
    assert confidences(replace(U8, end="softmax"), tmp_path).min() == 255


@pytest.mark.parametrize(
    "end",
    [
        "exp / sum",
        "exp / sum, less max",
        "exp x (1 / sum)",
        "exp of log-softmax",
        "exp of x - log sum",
        "log-softmax",
        "x - log sum",
    ],
)
def test_a_softmax_that_is_written_out_changes_none_either(end: str, tmp_path: Path) -> None:
    plain = confidences(replace(U8, gain=0.003), tmp_path)
    ended = confidences(replace(U8, end=end, gain=0.003), tmp_path)
    assert np.abs(plain.astype(int) - ended).max() <= 3


def test_a_sigmoid_that_is_written_out_is_one(tmp_path: Path) -> None:
    net = replace(U8, end="sigmoid", gain=0.003)
    written = replace(net, end="1 / (1 + exp -x)")
    assert engine_of(Row("", written), tmp_path).ends_in == "sigmoid"
    np.testing.assert_array_equal(confidences(net, tmp_path), confidences(written, tmp_path))


@pytest.mark.parametrize("dtype", ["int8", "uint8"])
def test_a_quantised_softmax_is_as_sure_as_it_says(dtype: str, tmp_path: Path) -> None:
    zero = -128 if dtype == "int8" else 0
    net = replace(U8, gain=0.003, end="softmax", output=dtype, output_quantised=(1 / 256, zero))
    plain = confidences(replace(U8, gain=0.003), tmp_path)
    assert np.abs(plain.astype(int) - confidences(net, tmp_path)).max() <= 4
