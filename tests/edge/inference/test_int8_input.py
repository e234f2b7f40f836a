"""A network without the conversion of its input gives what it gave with it, bit for bit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from roadmask import _native
from roadmask.inference.engine import Engine
from roadmask.inference.int8_input import int8_input
from roadmask.inference.litert import Interpreter


def test_the_masks_stay_the_same(shipped_model: Path) -> None:
    data = shipped_model.read_bytes()
    patched = int8_input(data)
    assert patched is not None and len(patched) == len(data)
    engine = Engine(shipped_model)
    whole = Interpreter(shipped_model, data, 1)
    given, made = whole.view(whole.inputs[0]), whole.view(whole.outputs[0])
    assert engine.input_spec.dtype == given.dtype == np.uint8
    assert engine.input_spec.scale == pytest.approx(whole.inputs[0]["quantization"][0])
    assert engine.input_spec.zero_point == whole.inputs[0]["quantization"][1]
    assert engine.placement.operators == whole.operators - 1
    rng = np.random.default_rng(16)
    for _ in range(3):
        given[0] = engine.input[:] = rng.integers(0, 256, engine.input.shape, np.uint8)
        whole.invoke()
        engine.invoke()
        np.testing.assert_array_equal(engine.output, made[0])


def test_only_such_a_network_is_changed(shipped_model: Path) -> None:
    data = shipped_model.read_bytes()
    patched = int8_input(data)
    assert patched is not None
    assert int8_input(patched) is None  # its input is int8 already
    for end in (0, 4, 100, len(data) // 2):
        assert int8_input(data[:end]) is None
    rng = np.random.default_rng(17)
    for _ in range(200):  # damaged files are for LiteRT to refuse; nothing is read outside them
        damaged = bytearray(data[:4096])
        for at in rng.integers(0, 4096, 8):
            damaged[at] = rng.integers(0, 256)
        int8_input(bytes(damaged))


def test_flipped_bits() -> None:
    source = np.arange(257 * 3, dtype=np.uint16).astype(np.uint8).reshape(1, 257, 3)
    out = np.empty(source.shape, np.int8)
    _native.flip_top_bits(source, out)
    np.testing.assert_array_equal(out, source.astype(np.int16) - 128)
    with pytest.raises(ValueError, match="out: given"):
        _native.flip_top_bits(source, np.empty((2, 2, 3), np.int8))
    with pytest.raises(TypeError, match=r"expected .* int8"):
        _native.flip_top_bits(source, np.empty(source.shape, np.uint8))
