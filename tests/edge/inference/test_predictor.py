"""One picture to one mask, in public and for every part that scores or shows masks."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import FrozenInstanceError
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from network_parts import HEIGHT, WIDTH, constant_output

import roadmask
from roadmask.errors import ConfigError, DataError, ModelError
from roadmask.inference import reference_kernels as kernels_reference
from roadmask.inference.engine import Engine, TensorSpec
from roadmask.inference.pixels import plain_table
from roadmask.inference.postprocess import confidence_table
from roadmask.inference.predictor import Predictor, load
from roadmask.inference.preprocess import Preprocess
from roadmask.labels.catalogue import CITYSCAPES_8
from roadmask.labels.lookup import label_set
from roadmask.town.town import Town

REPOSITORY = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    return load()


@pytest.mark.parametrize("size", [(320, 180), (101, 333), (1, 1), (480, 352)])
def test_the_kernels_draw_mask_and_confidence_at_the_pictures_size(
    predictor: Predictor, size: tuple[int, int]
) -> None:
    image = cv2.resize(Town(3, 640, 360).frame(9).image, size, interpolation=cv2.INTER_AREA)
    made = roadmask.load()(np.ascontiguousarray(image[..., ::-1]))
    engine = predictor.engine
    predictor.prepare(np.asarray(image, np.uint8), engine.input)
    engine.invoke()
    mask, confidence, counts, _ = kernels_reference.argmax_upsample(
        engine.output, size, engine.labels.category_table[:8], 1,
        confidence_table(engine.output_spec.scale, engine.info.temperature),
    )  # fmt: skip
    np.testing.assert_array_equal(made.mask, mask)
    np.testing.assert_array_equal(made.confidence, confidence)
    assert made.mask.dtype == np.uint8 and made.mask.shape == (size[1], size[0])
    assert made.shares == {
        name: n / mask.size
        for name, n in zip(
            ("void", "flat", "construction", "object", "nature", "sky", "human", "vehicle"),
            counts,
            strict=True,
        )
    }
    with pytest.raises(FrozenInstanceError):
        made.mask = mask  # type: ignore[misc]


def test_red_and_blue_are_told_apart_and_rows_may_be_apart(predictor: Predictor) -> None:
    image = Town(3, 320, 180).frame(9).image
    view = image[..., ::-1][:, ::2]  # RGB, as a view without a copy
    expected = predictor.segment(np.ascontiguousarray(image[:, ::2]))
    np.testing.assert_array_equal(predictor(view).mask, expected.mask)
    swapped = predictor(np.ascontiguousarray(image[:, ::2]))
    assert not np.array_equal(swapped.confidence, expected.confidence)


def test_a_result_is_not_overwritten_by_the_next_picture(predictor: Predictor) -> None:
    town = Town(3, 160, 90)
    first = predictor.segment(town.frame(1).image)
    kept = first.mask.copy()
    predictor.segment(np.zeros((90, 160, 3), np.uint8))
    np.testing.assert_array_equal(first.mask, kept)


def test_threads_that_share_a_network_get_their_own_masks(predictor: Predictor) -> None:
    sizes = [(160, 90), (90, 160), (200, 100), (64, 64)]
    images = [Town(5, *size).frame(7).image for size in sizes]
    expected = [predictor.mask(image) for image in images]
    with ThreadPoolExecutor(4) as pool:
        for _ in range(5):
            for mask, wanted in zip(pool.map(predictor.mask, images), expected, strict=True):
                np.testing.assert_array_equal(mask, wanted)


@pytest.mark.parametrize(
    ("image", "given"),
    [
        (None, "NoneType"),
        ([[1, 2], [3]], "list"),
        ("street.jpg", "str"),
        (np.zeros((4, 5, 3), np.float32), r"ndarray float32 \(4, 5, 3\)"),
        (np.zeros((4, 5), np.uint8), r"ndarray uint8 \(4, 5\)"),
        (np.zeros((4, 5, 4), np.uint8), r"uint8 \(4, 5, 4\)"),
        (np.zeros((3, 4, 5), np.uint8), r"uint8 \(3, 4, 5\)"),
        (np.zeros((0, 5, 3), np.uint8), r"uint8 \(0, 5, 3\)"),
        (np.zeros((1, 16385, 3), np.uint8), r"uint8 \(1, 16385, 3\)"),
        (np.array({"a": 1}, object), r"ndarray object \(\)"),
    ],
)
def test_what_is_no_picture_is_refused_in_one_line(
    predictor: Predictor, image: object, given: str
) -> None:
    with pytest.raises(DataError, match=rf"^image_rgb: given .*{given}, expected .*$") as told:
        predictor(image)  # type: ignore[arg-type]
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("shape", [(16385, 2, 3), (2, 16385, 3)])
def test_a_frame_over_the_kernels_limit_is_one_line(
    predictor: Predictor, shape: tuple[int, int, int]
) -> None:
    """As the readers of data sets and the daemon's sources give it: BGR, unchecked."""
    size = f"{shape[1]}x{shape[0]} px: at most 16384 a side"
    with pytest.raises(DataError, match=size):
        predictor.segment(np.zeros(shape, np.uint8))
    with pytest.raises(DataError, match=size):
        Preprocess(predictor.engine, shape[1::-1])
    assert predictor.segment(np.zeros((8, 8, 3), np.uint8)).mask.shape == (8, 8)


def test_a_model_that_is_not_there_or_does_not_fit_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError):
        roadmask.load(tmp_path / "none.tflite")
    with pytest.raises(ConfigError, match="19 classes"):
        roadmask.load(labels="cityscapes-19")


class Ids:
    """A network that ends in ArgMax, with what it answers given."""

    info = None
    name, digest, labels = "ids", "", CITYSCAPES_8
    input_size = (6, 4)
    pixels, pixel_table, ends_in = None, plain_table("uint8"), "argmax"
    input_spec = TensorSpec((1, 4, 6, 3), np.dtype(np.uint8), 1 / 128, 128)

    def __init__(self, ids: npt.NDArray[np.int64]) -> None:
        self.input = np.zeros((4, 6, 3), np.uint8)
        self.output = ids
        self.output_spec = TensorSpec((1, *ids.shape), ids.dtype, 0.0, 0)

    def invoke(self) -> None:
        """The answer stands."""


def test_ids_are_nearest_at_pixel_centres_in_one_step() -> None:
    # 3 → 2 px wide: the centres of the mask lie at 0.75 and 2.25 of the ids, as in test_nearest;
    # by way of the network's 6 px it would be the same pixel, by OpenCV's corners it is not.
    predictor = Predictor(Ids(np.array([[1, 2, 7], [4, 5, 6]], np.int64)))  # type: ignore[arg-type]
    made = predictor.segment(np.zeros((2, 2, 3), np.uint8))
    assert made.mask.tolist() == [[1, 7], [4, 6]]
    assert made.confidence is None and not predictor.gives_confidence
    assert made.shares["vehicle"] == 0.25


@pytest.mark.parametrize(("labels", "void"), [("cityscapes-19", 255), ("cityscapes-8", 0)])
def test_a_mask_of_classes_has_the_sets_void_where_nothing_is_known(labels: str, void: int) -> None:
    """Unknown pixels were 0, which in cityscapes-19 is road."""
    engine = Ids(np.array([[0, 7, 19, 200, 254, 255]], np.int64))
    engine.labels = label_set(labels)
    last = 18 if labels == "cityscapes-19" else 5
    engine.output[0, 1] = last
    predictor = Predictor(engine, classes=True)  # type: ignore[arg-type]
    made = predictor.segment(np.zeros((1, 6, 3), np.uint8))
    assert made.mask.tolist() == [[0, last, void, void, void, void]]
    assert made.invalid == pytest.approx(4 / 6)
    assert predictor.draw(engine.output, (6, 1)).tolist() == made.mask.tolist()


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_scores_by_class_count_what_is_no_number_as_void(bad: float, tmp_path: Path) -> None:
    logits = np.zeros((1, HEIGHT, WIDTH, 19), np.float32)
    logits[..., 13] = 5
    logits[:, :, : WIDTH // 2] = bad
    path = tmp_path / "net.tflite"
    path.write_bytes(constant_output(logits))
    predictor = Predictor(Engine(path, labels="cityscapes-19"), classes=True)
    mask = predictor.mask(np.zeros((HEIGHT, WIDTH, 3), np.uint8))
    assert set(np.unique(mask[:, : WIDTH // 2 - 1])) == {255}
    assert set(np.unique(mask[:, WIDTH // 2 + 1 :])) == {13}


def test_the_example_writes_the_mask(tmp_path: Path, predictor: Predictor) -> None:
    image = Town(3, 320, 180).frame(5).image
    cv2.imwrite(str(tmp_path / "street.png"), image)
    run = subprocess.run(
        [sys.executable, REPOSITORY / "edge/examples/segment.py", "street.png", "mask.png"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": ":".join(filter(None, sys.path))},
    )
    mask = cv2.imread(str(tmp_path / "mask.png"), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(mask, predictor.mask(image))
    share = 100 * (mask == 1).mean()
    assert f"flat         {share:5.1f} %" in run.stdout.splitlines()
