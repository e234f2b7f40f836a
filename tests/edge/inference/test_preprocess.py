"""The tensors between capture and network: where they lie, and that none is overwritten in use."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from roadmask.daemon.tensor_pool import TensorPool
from roadmask.inference import reference_kernels as kernels_reference
from roadmask.inference.engine import Engine
from roadmask.inference.geometry import geometry
from roadmask.sources import Frame

SIZE = (320, 200)


@pytest.fixture(scope="module")
def engine(shipped_model: Path) -> Engine:
    return Engine(shipped_model)


def frames(count: int) -> list[Frame]:
    rng = np.random.default_rng(12)
    width, height = SIZE
    return [Frame(rng.integers(0, 256, (height, width, 3), np.uint8), 1, i) for i in range(count)]


def tensor(engine: Engine, frame: Frame) -> np.ndarray:
    """As the network itself reads it: int8."""
    assert engine.direct_input.dtype == np.int8
    return (kernels_reference.preprocess(frame.image, engine.input_size) ^ 0x80).view(np.int8)


def test_a_network_that_waits_has_its_own_input_filled(engine: Engine) -> None:
    pool = TensorPool(engine, geometry(SIZE, engine.input_size))
    (frame,) = frames(1)
    prepared = pool.begin(frame, True)
    assert prepared.tensor is engine.direct_input
    assert prepared.finish() == prepared.ready_ns > 0
    pool.feed(prepared)
    np.testing.assert_array_equal(engine.direct_input, tensor(engine, frame))


def test_a_tensor_in_use_survives_the_next_frames(engine: Engine) -> None:
    pool = TensorPool(engine, geometry(SIZE, engine.input_size))
    given = frames(4)
    first = pool.begin(given[0], True)
    first.finish()
    second = pool.begin(given[1], True)  # the input is taken
    second.finish()
    assert second.tensor is not engine.direct_input
    kept = pool.keep(first)
    pool.feed(second)
    third = pool.begin(given[2], False)
    third.finish()
    for prepared, frame in ((kept, given[0]), (second, given[1]), (third, given[2])):
        np.testing.assert_array_equal(prepared.tensor, tensor(engine, frame))
    assert pool.keep(third) is third
    for prepared in (kept, second, third):
        pool.release(prepared)
    assert pool.begin(given[3], True).tensor is engine.direct_input


def test_tensors_go_round(engine: Engine) -> None:
    pool = TensorPool(engine, geometry(SIZE, engine.input_size))
    (frame,) = frames(1)
    seen = set()
    for i in range(40):
        prepared = pool.begin(frame, idle=i % 3 == 0)
        prepared.finish()
        seen.add(id(prepared.tensor))
        pool.release(pool.keep(prepared) if i % 2 else prepared)
    assert len(seen) <= 5
