from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from roadmask.errors import ConfigError
from roadmask.inference.engine import Engine
from roadmask.inference.model_file import METADATA_NAME, ModelInfo, write_metadata
from roadmask.inference.steady import GAP_NS, Steady
from tests.edge.network_parts import HEIGHT, WIDTH, constant_output

PERIOD_NS = 33_000_000


@pytest.fixture(scope="module")
def engine(shipped_model: Path) -> Engine:
    return Engine(shipped_model)


def boiling(engine: Engine, number: int) -> npt.NDArray[np.int8]:
    rng = np.random.default_rng(number)
    return rng.integers(-12, 12, engine.output.shape).astype(np.int8)


@pytest.mark.parametrize(
    ("number", "capture_ns", "alone"),
    [
        (3, 3 * PERIOD_NS, False),
        (9, 2 * PERIOD_NS + GAP_NS, False),  # frames were skipped, but soon it came
        (3, 2 * PERIOD_NS + GAP_NS + 1, True),  # a gap
        (2, 3 * PERIOD_NS, True),  # the same number again
        (1, 3 * PERIOD_NS, True),  # a drive that begins anew
        (3, 2 * PERIOD_NS, True),  # no later than the one before
    ],
)
def test_what_follows_counts_with_those_before(
    engine: Engine, number: int, capture_ns: int, alone: bool
) -> None:
    steady = Steady(engine, 0.9)
    first = boiling(engine, 1)
    np.testing.assert_array_equal(steady.of(first, 1, PERIOD_NS), first)
    second = boiling(engine, 2)
    assert (steady.of(second, 2, 2 * PERIOD_NS) != second).any()
    third = boiling(engine, 3)
    assert (steady.of(third, number, capture_ns) == third).all() == alone


def test_after_forgetting_a_frame_counts_alone(engine: Engine) -> None:
    steady = Steady(engine, 0.9)
    steady.of(boiling(engine, 1), 1, PERIOD_NS)
    steady.forget()
    second = boiling(engine, 2)
    np.testing.assert_array_equal(steady.of(second, 2, 2 * PERIOD_NS), second)


def test_a_network_that_says_nothing_is_not_hidden(engine: Engine) -> None:
    steady, silence = Steady(engine, 0.9), np.zeros_like(engine.output)
    steady.of(boiling(engine, 1), 1, PERIOD_NS)
    np.testing.assert_array_equal(steady.of(silence, 2, 2 * PERIOD_NS), silence)
    after = boiling(engine, 3)
    np.testing.assert_array_equal(steady.of(after, 3, 3 * PERIOD_NS), after)


def _far(values: npt.NDArray[np.int8]) -> npt.NDArray[np.int8]:
    values[20:30, 20:30, 5] = 100  # 100 steps of 0.09: nine logits
    return values


def _human(values: npt.NDArray[np.int8]) -> npt.NDArray[np.int8]:
    values[20:30, 20:30, 6] = 14  # ahead by two steps at least
    return values


@pytest.mark.parametrize("come", [_far, _human])
def test_what_comes_is_there_at_once(
    engine: Engine, come: Callable[[npt.NDArray[np.int8]], npt.NDArray[np.int8]]
) -> None:
    steady = Steady(engine, 0.9)
    for number in range(1, 6):
        steady.of(boiling(engine, number), number, number * PERIOD_NS)
    new = come(boiling(engine, 6))
    out = steady.of(new, 6, 6 * PERIOD_NS)
    np.testing.assert_array_equal(out[20:30, 20:30], new[20:30, 20:30])


def test_a_strength_out_of_range_is_refused(engine: Engine) -> None:
    with pytest.raises(
        ConfigError, match=r"steady 1.*: expected 0 \(off\) or a number from 0.1 to 0.9"
    ):
        Steady(engine, 1.0)


def test_a_network_without_int8_logits_is_refused(tmp_path: Path) -> None:
    info = ModelInfo("own", "cityscapes-8", (WIDTH, HEIGHT))
    data = constant_output(np.zeros((1, HEIGHT, WIDTH, 8), np.float32))
    path = tmp_path / "net.tflite"
    path.write_bytes(write_metadata(data, {METADATA_NAME: info.to_json().encode()}))
    with pytest.raises(ConfigError, match=r"steady 0.5: model own gives no int8 logits"):
        Steady(Engine(path), 0.5)
