from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from convert.quantise.converter import Quantiser
from convert.quantise.repair import MAX_LAYERS, channel_error, rank_layers, repair
from roadmask.errors import ConfigError, ModelError


@pytest.mark.parametrize(
    ("needed", "attempts"),
    [
        ({"a"}, 1),
        ({"a", "b"}, 4),  # 1, 2, and each of the two given back in vain
        ({"b"}, 4),  # the worst is not always what matters
        ({"d"}, 7),
        ({"a", "d"}, 7),
    ],
)
def test_the_fewest_layers_are_found(needed: set[str], attempts: int) -> None:
    ranking = {name: 1.0 - i / 10 for i, name in enumerate("abcdefgh")}

    def attempt(layers: Sequence[str]) -> set[str]:
        return set(layers)

    found = repair(ranking, attempt, lambda trial: needed <= trial)
    assert set(found.layers) == found.trial == needed
    assert found.attempts == attempts


def test_a_hopeless_network_is_given_up() -> None:
    ranking = {str(i): 1.0 for i in range(40)}
    tried: list[int] = []

    def attempt(layers: Sequence[str]) -> int:
        tried.append(len(layers))
        return len(layers)

    with pytest.raises(ModelError, match="--repair found no way"):
        repair(ranking, attempt, lambda _: False)
    assert tried == [1, 2, 4, 8, MAX_LAYERS]


def test_a_small_network_never_stays_in_float_whole() -> None:
    tried: list[Sequence[str]] = []
    with pytest.raises(ModelError, match="with the 2 worst layers"):
        repair({"a": 1.0, "b": 0.5, "c": 0.1}, tried.append, lambda _: False)
    assert tried == [["a"], ["a", "b"]]


def test_small_channels_drown_in_the_step_of_large_ones() -> None:
    # Two channels in steps of 1: one of 100 is exact, one of 0.4 is rounded away.
    real = np.array([[100.0, 0.4], [-100.0, 0.4]], np.float32)
    q = np.array([[100, 0], [-100, 0]], np.int8)
    assert channel_error(real, q, 1.0, 0) == pytest.approx(0.5)
    # A dead channel says nothing.
    assert channel_error(real * np.float32([1, 0]), q, 1.0, 0) == 0


@pytest.fixture(scope="module")
def wild(keras_file: Path) -> Quantiser:
    """The small network with a first layer whose channels differ by a factor of 300.

    The next layer multiplies what the first one shrank, so that the network does the same.
    """
    import keras

    from convert.quantise.graph import export_graph
    from train.keras_file import load_keras

    model = load_keras(keras_file)
    norm = next(x for x in model.layers if isinstance(x, keras.layers.BatchNormalization))
    first, second = [x for x in model.layers if isinstance(x, keras.layers.Conv2D)][:2]
    assert first.name == norm._inbound_nodes[0].parent_nodes[0].operation.name
    gamma, beta, *statistics = norm.get_weights()
    factor = np.where(np.arange(gamma.size) % 2, 300, 1).astype(np.float32)
    norm.set_weights([gamma / factor, beta / factor, *statistics])
    second.set_weights([second.get_weights()[0] * factor[:, None]])
    rng = np.random.default_rng(5)
    samples = [rng.integers(0, 256, (64, 96, 3), np.uint8) for _ in range(2)]
    return Quantiser(export_graph(model), samples)


def test_wild_channels_rank_high_and_can_stay_in_float(keras_file: Path, wild: Quantiser) -> None:
    from convert.quantise.graph import export_graph
    from convert.quantise.operators import float_operators, read_operators
    from train.keras_file import load_keras

    convolutions = [n for n in wild.graph.operator_names if n.startswith("conv2d")]
    ranking = rank_layers(wild)
    tame = rank_layers(Quantiser(export_graph(load_keras(keras_file)), wild.samples))
    assert {*convolutions, "logits"} <= set(ranking) == set(tame)
    for name in convolutions[:2]:
        assert ranking[name] > 10 * tame[name], name
    assert list(ranking.values()) == sorted(ranking.values(), reverse=True)
    exceptions = float_operators(read_operators(wild.convert("int8", convolutions[1:2])))
    assert [o.name for o in exceptions] == ["DEQUANTIZE", "CONV_2D", "QUANTIZE"]
    # Any layer of the operator names it.
    norm = next(n for n in wild.graph.operator_names if n.startswith("batch_norm"))
    assert wild.convert("int8", [norm]) == wild.convert("int8", convolutions[:1])
    with pytest.raises(ConfigError, match="leave none in INT8"):
        wild.convert("int8", list(ranking))
    with pytest.raises(ConfigError, match=f"give names such as .*{convolutions[0]}"):
        wild.convert("int8", [convolutions[0] + "x"])


@pytest.mark.parametrize(
    ("mode", "dtypes"),
    [("int16x8", {"INT16", "FLOAT32>INT16"}), ("dynamic", {"FLOAT32"}), ("float16", {"FLOAT32"})],
)
def test_other_modes_run_in_the_engine(
    wild: Quantiser, mode: str, dtypes: set[str], tmp_path: Path
) -> None:
    from convert.quantise.operators import count_dtypes, read_operators
    from roadmask.inference.engine import Engine
    from roadmask.inference.reading.read_as import ReadAs

    path = tmp_path / "m.tflite"
    path.write_bytes(wild.convert(mode))
    assert dtypes <= set(count_dtypes(read_operators(path.read_bytes())))
    engine = Engine(path, labels="cityscapes-8", read_as=ReadAs(input_range="-1..1"))
    engine.input[:] = np.random.default_rng(6).normal(0, 0.5, engine.input.shape)
    engine.invoke()
    assert np.isfinite(engine.output).all() and engine.output.std() > 0
