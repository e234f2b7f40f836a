from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from roadmask.errors import ConfigError, ModelError
from roadmask.inference.engine import Engine
from roadmask.inference.model_file import (
    FAMILY,
    METADATA_NAME,
    ModelInfo,
    model_path,
    read_metadata,
    write_metadata,
)
from roadmask.inference.postprocess import Postprocess
from roadmask.inference.predictor import Predictor, load
from roadmask.inference.scores import confidence_table, margins
from roadmask.town.town import Town
from tests.edge.network_parts import HEIGHT, WIDTH, Net, constant_output

F32 = npt.NDArray[np.float32]


def ramp() -> F32:
    """Logits ``(1, h, w, 8)`` of which *flat* wins, by more from column to column."""
    values = np.full((1, HEIGHT, WIDTH, 8), -20, np.float32)
    values[..., 1] = np.linspace(0.25, 12, WIDTH, dtype=np.float32)
    values[..., 2] = 0
    return values


def engine(
    folder: Path, values: npt.NDArray[np.generic], temperature: float = 1.0, **more: object
) -> Engine:
    info = ModelInfo("own", "cityscapes-8", (WIDTH, HEIGHT), temperature=temperature)
    data = constant_output(values, **more)  # type: ignore[arg-type]
    path = folder / "net.tflite"
    path.write_bytes(write_metadata(data, {METADATA_NAME: info.to_json().encode()}))
    made = Engine(path)
    made.invoke()
    return made


def softmax_file(folder: Path, temperature: float) -> Engine:
    """A network that ends in a softmax of the ramp's logits, in int8."""
    net = Net(input="uint8", quantised=(1.0, 0), end="softmax", gain=0.003)
    net.output, net.output_quantised = "int8", (1 / 256, -128)
    info = ModelInfo(
        "own", "cityscapes-8", (WIDTH, HEIGHT), normalisation=(1, 0), temperature=temperature
    )
    path = folder / "softmax.tflite"
    path.write_bytes(write_metadata(net.build(), {METADATA_NAME: info.to_json().encode()}))
    return Engine(path)


def planes(made: Engine, abstain: float = 0.0) -> npt.NDArray[np.uint8]:
    both = np.zeros((2, HEIGHT, WIDTH), np.uint8)
    Postprocess(made, abstain=abstain).into(both[0], both[1])
    return both


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.5])
def test_the_files_temperature_divides_the_margin(temperature: float, tmp_path: Path) -> None:
    values = ramp()
    mask, confidence = planes(engine(tmp_path, values, temperature))
    assert (mask == 1).all()
    expected = 255 / (1 + np.exp(-values[0, ..., 1] / temperature))
    # A margin is counted in sixteenths, and one of those is at most a 64th of the scale.
    assert np.abs(confidence - expected).max() <= 255 / 64 / temperature + 0.5


def test_without_a_temperature_the_file_says_none_and_means_one() -> None:
    info = ModelInfo("a", "b", (1, 1))
    assert "temperature" not in info.to_json()
    assert ModelInfo.from_json(info.to_json()).temperature == 1
    warm = ModelInfo("a", "b", (1, 1), temperature=1.5)
    assert ModelInfo.from_json(warm.to_json()) == warm


@pytest.mark.parametrize("bad", ["0", "-1", "1e9", '"warm"', "true", "null"])
def test_a_temperature_that_is_none_is_a_damaged_file(bad: str, tmp_path: Path) -> None:
    text = ModelInfo("a", "cityscapes-8", (WIDTH, HEIGHT), temperature=2.0).to_json()
    assert text.count('"temperature":2.0') == 1
    text = text.replace('"temperature":2.0', f'"temperature":{bad}')
    path = tmp_path / "net.tflite"
    path.write_bytes(write_metadata(constant_output(ramp()), {METADATA_NAME: text.encode()}))
    with pytest.raises(ModelError, match=r"net\.tflite: the model's ROADMASK block"):
        Engine(path)


def test_a_softmax_end_obeys_the_temperature_too(tmp_path: Path) -> None:
    shown = {}
    for temperature in (1.0, 2.0):
        made = softmax_file(tmp_path, temperature)
        made.input[...] = np.linspace(0, 255, WIDTH * 3).reshape(1, WIDTH, 3).astype(np.uint8)
        made.invoke()
        shown[temperature] = planes(made)
    np.testing.assert_array_equal(shown[1.0][0], shown[2.0][0])
    plain, warm = (shown[t][1].astype(float) for t in (1.0, 2.0))
    share = np.clip(plain, 0.25, 254.75) / 255
    expected = 255 / (1 + np.sqrt((1 - share) / share))  # the logit halved
    assert np.abs(warm - expected).max() <= 0.5 + 1e-9
    assert 128 < warm.max() < plain.max()


def test_the_table_of_probabilities_is_theirs_and_never_falls() -> None:
    np.testing.assert_array_equal(confidence_table(1, kind="softmax"), np.arange(256))
    for kind in ("softmax", "logits"):
        assert np.isfinite(margins(0.1, kind)).all()
        for temperature in (0.01, 0.7, 3.0, 100.0):
            table = confidence_table(0.1, temperature, kind).astype(int)
            assert (np.diff(table) >= 0).all()


@pytest.mark.parametrize("end", ["float", "int8", "softmax"])
@pytest.mark.parametrize("temperature", [1.0, 1.7])
def test_who_is_unsure_makes_no_claim(end: str, temperature: float, tmp_path: Path) -> None:
    if end == "softmax":
        made = softmax_file(tmp_path, temperature)
        made.input[...] = np.linspace(0, 255, WIDTH * 3).reshape(1, WIDTH, 3).astype(np.uint8)
        made.invoke()
    elif end == "int8":
        values = np.clip(np.rint(ramp() / 0.15), -128, 127).astype(np.int8)
        made = engine(tmp_path, values, temperature, quantised=(0.15, 0))
    else:
        made = engine(tmp_path, ramp(), temperature)
    mask, confidence = planes(made)
    abstain = float(np.median(confidence)) / 255
    unsure = confidence < np.ceil(255 * abstain)
    assert 0.2 < unsure.mean() < 0.8
    claimed, beside = planes(made, abstain)
    np.testing.assert_array_equal(claimed, np.where(unsure, 0, mask))
    np.testing.assert_array_equal(beside, confidence)
    postprocess, alone = Postprocess(made, abstain=abstain), np.zeros_like(mask)
    counts = postprocess.into(alone)
    np.testing.assert_array_equal(alone, claimed)  # without a plane beside it
    assert counts[0] == unsure.sum() and sum(counts) == mask.size
    assert postprocess.invalid == 0  # what is not claimed was known


def test_levels_are_what_the_table_turns_into_confidences(tmp_path: Path) -> None:
    made = engine(tmp_path, ramp(), 1.4)
    levels = np.zeros((HEIGHT, WIDTH), np.uint8)
    postprocess = Postprocess(made, levels=True)
    postprocess.into(np.zeros_like(levels), levels)
    assert len(np.unique(levels)) > 20 and postprocess.confidence_table is not None
    np.testing.assert_array_equal(postprocess.confidence_table[levels], planes(made)[1])


@pytest.mark.parametrize("abstain", [-0.1, 1.1, float("nan")])
def test_a_share_that_is_none_is_refused(abstain: float, tmp_path: Path) -> None:
    made = engine(tmp_path, ramp())
    with pytest.raises(ConfigError, match=r"abstain .*: expected a number from 0 to 1"):
        Predictor(made, abstain=abstain)


def test_ids_tell_no_confidence_to_abstain_by(tmp_path: Path) -> None:
    ids = engine(tmp_path, np.ones((1, HEIGHT, WIDTH), np.int32))
    assert Postprocess(ids).confidence_table is None
    with pytest.raises(ConfigError, match="ends in class ids, which tell no confidence"):
        Postprocess(ids, abstain=0.6)


def test_a_picture_that_says_less_is_believed_less() -> None:
    predictor, rng = load("s"), np.random.default_rng(1)

    def mean(image: npt.NDArray[Any]) -> float:
        plane = predictor.segment(np.clip(image, 0, 255).astype(np.uint8)).confidence
        assert plane is not None
        return float(plane.mean()) / 255

    lost = []
    for seed in range(1, 9):
        image = Town(seed, 640, 360, weather="day").frame(30).image
        covered = image.copy()
        cv2.circle(covered, (320, 200), 150, (60, 60, 60), -1)
        noisy, blurred = image + rng.normal(0, 60, image.shape), cv2.GaussianBlur(image, (0, 0), 8)
        clear = mean(image)
        lost.append([clear - mean(worse) for worse in (noisy, 0.08 * image, blurred, covered)])
    assert (np.array(lost) > 0.005).all(), lost


@pytest.mark.parametrize("name", FAMILY)
def test_a_picture_of_nothing_is_believed_by_none(name: str) -> None:
    """Of noise and a covered lens the family was as sure as of a road: 0.76 to 0.94."""
    predictor, rng = load(name), np.random.default_rng(2)
    shape, bars = (480, 640, 3), rng.integers(0, 256, (1, 8, 3)).astype(np.uint8)
    road = Town(3, 640, 480, weather="day").frame(30).image
    smooth = cv2.GaussianBlur(rng.normal(0, 1, shape).astype(np.float32), (0, 0), 6)
    pictures = {
        "uniform noise": rng.integers(0, 256, shape),
        "grey noise": np.repeat(rng.integers(0, 256, (480, 640, 1)), 3, 2),
        "a covered lens": 2 + rng.normal(0, 3, shape),
        "one at a high gain": 12 + rng.normal(0, 15, shape),
        "a finger": np.full(shape, (70, 60, 110)) + rng.normal(0, 2, shape),
        "smooth noise": 128 + 50 * smooth / smooth.std(),
        "colour bars": cv2.resize(bars, (640, 480), interpolation=cv2.INTER_NEAREST),
        "rows in disorder": road[rng.permutation(480)],
        "out of focus": cv2.GaussianBlur(road, (0, 0), 60),
    }
    clear = predictor.segment(road).confidence
    assert clear is not None and clear.mean() / 255 > 0.85
    for kind, picture in pictures.items():
        seen = predictor.segment(np.clip(picture, 0, 255).astype(np.uint8)).confidence
        assert seen is not None and seen.mean() / 255 < 0.72, kind


def test_the_shipped_family_carries_a_temperature() -> None:
    for name in FAMILY:
        info = read_metadata(model_path(name).read_bytes())
        assert info is not None and 1 < info.temperature < 2
