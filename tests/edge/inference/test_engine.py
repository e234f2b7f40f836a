"""The engine, its preprocessing and its postprocessing on the shipped network."""

import gc
import weakref
from pathlib import Path

import cv2
import numpy as np
import pytest

from roadmask.errors import ConfigError, ModelError
from roadmask.inference import reference_kernels as kernels_reference
from roadmask.inference.engine import Engine
from roadmask.inference.model_file import read_model
from roadmask.inference.postprocess import Postprocess
from roadmask.inference.preprocess import Preprocess
from roadmask.town.town import Town


@pytest.fixture(scope="module")
def engine(shipped_model: Path) -> Engine:
    return Engine(shipped_model)


def test_input_and_output_are_the_interpreters_own_memory(engine: Engine) -> None:
    image = Town(1, 640, 360).frame(0).image
    preprocess = Preprocess(engine, (640, 360))
    preprocess.into(image, engine.input)
    engine.invoke()
    first = engine.output.copy()
    assert first.std() > 0
    # What LiteRT itself says lies in its tensors is what the views show.
    interpreter = engine._processor.interpreter._interpreter
    given, made = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    seen = interpreter.get_tensor(given["index"])[0]
    assert seen.dtype == np.int8  # the conversion of the uint8 input is ours
    np.testing.assert_array_equal(seen.view(np.uint8) ^ 0x80, engine.input)
    np.testing.assert_array_equal(interpreter.get_tensor(made["index"])[0], first)
    preprocess.into(np.zeros_like(image), engine.input)
    engine.invoke()
    assert not np.array_equal(first, engine.output)
    preprocess.into(image, engine.input)
    engine.invoke()
    np.testing.assert_array_equal(first, engine.output)


def test_the_views_outlive_the_engine(shipped_model: Path) -> None:
    engine = Engine(shipped_model)
    view, interpreter = engine.output, weakref.ref(engine._processor.interpreter._interpreter)
    del engine
    gc.collect()
    assert interpreter() is not None
    view[:] = 7  # into memory that is still the interpreter's
    del view
    gc.collect()
    assert interpreter() is None


def test_preprocessing_is_opencvs_area_resize_to_within_a_step(engine: Engine) -> None:
    image = Town(2, 1280, 720).frame(5).image
    width, height = engine.input_size
    Preprocess(engine, (1280, 720)).into(image, engine.input)
    expected = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)[..., ::-1]
    assert np.abs(engine.input.astype(int) - expected).max() <= 1


def test_mask_equals_the_reference_and_counts_its_pixels(engine: Engine) -> None:
    town = Town(3, 960, 540)
    Preprocess(engine, (960, 540)).into(town.frame(9).image, engine.input)
    engine.invoke()
    for size in (None, (960, 540), (333, 217)):
        postprocess = Postprocess(engine, size)
        width, height = postprocess.mask_size
        mask = np.empty((height, width), np.uint8)
        counts = postprocess.into(mask)
        table = engine.labels.category_table[:8]
        expected, _, expected_counts, _ = kernels_reference.argmax_upsample(
            engine.output, postprocess.mask_size, table, first=1
        )
        assert counts == expected_counts
        np.testing.assert_array_equal(mask, expected)
        assert counts == list(np.bincount(mask.ravel(), minlength=8))
        assert counts[0] == 0  # void is never predicted


def test_the_shipped_network_sees_the_street(engine: Engine) -> None:
    town = Town(2001, 1280, 720, weather="day")
    preprocess, postprocess = Preprocess(engine, (1280, 720)), Postprocess(engine, (1280, 720))
    right = scored = 0
    for index in (0, 60, 120):
        frame = town.frame(index)
        preprocess.into(frame.image, engine.input)
        engine.invoke()
        truth = frame.category_mask
        right += int(((postprocess.mask() == truth) & (truth > 0)).sum())
        scored += int((truth > 0).sum())
    assert right / scored > 0.85


def test_foreign_network_that_ends_in_argmax(shared: Path) -> None:
    path = shared / "peers/deeplab_mobilenet_edgetpu_slim_cityscapes_quant.tflite"
    with pytest.raises(ConfigError, match="--labels"):
        Engine(path)
    engine = Engine(path, labels="cityscapes-19")
    image = cv2.imread(str(next((shared / "data/camvid/val").glob("*.jpg"))))
    height, width = image.shape[:2]
    Preprocess(engine, (width, height)).into(image, engine.input)
    engine.invoke()
    mask = Postprocess(engine, (width, height)).mask()
    assert {1, 2, 5} <= set(np.unique(mask))
    assert (mask[-40:] == 1).mean() > 0.8  # road at the bottom


@pytest.mark.parametrize("cut", [0, 7, 5000, 500_000])
def test_a_damaged_model_is_a_model_error(shipped_model: Path, tmp_path: Path, cut: int) -> None:
    path = tmp_path / "cut.tflite"
    path.write_bytes(read_model(shipped_model)[:cut])
    with pytest.raises(ModelError, match=r"cut\.tflite|corrupt"):
        Engine(path)


def test_labels_that_do_not_fit(shipped_model: Path) -> None:
    with pytest.raises(ConfigError, match="19 classes"):
        Engine(shipped_model, labels="cityscapes-19")
    with pytest.raises(ConfigError, match="threads"):
        Engine(shipped_model, threads=0)
