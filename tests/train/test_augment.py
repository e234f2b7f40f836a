from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from roadmask.arrays import U8
from roadmask.errors import ConfigError
from roadmask.town.town import Town
from train.data.recipes import Augment, Recipe, Step, load_recipe
from train.data.transforms import TRANSFORMS
from train.recipe_files import recipe_names

SIZE = (64, 48)


@pytest.fixture(scope="module")
def frame() -> tuple[U8, U8]:
    town = Town(5, 160, 96, weather="day").frame(30)
    return np.ascontiguousarray(town.image[..., ::-1]), town.category_mask


def only(name: str, **values: object) -> Recipe:
    defaults = {key: p.default for key, p in TRANSFORMS[name].parameters.items()}
    return Recipe(name, (Step(name, 1.0, defaults | values),))  # type: ignore[arg-type]


def test_the_recipes_that_come_with_the_project() -> None:
    assert recipe_names() == [
        "flip", "full", "geometry", "hard", "none", "photometric", "weather", "wide",
    ]  # fmt: skip
    full, geometry, photometric = map(load_recipe, ("full", "geometry", "photometric"))
    assert full.steps == geometry.steps + photometric.steps
    assert load_recipe() == full


@pytest.mark.parametrize("name", recipe_names())
def test_equal_seeds_give_equal_samples_in_any_thread(name: str, frame: tuple[U8, U8]) -> None:
    def samples(_: int) -> list[tuple[U8, U8]]:
        augment = Augment(SIZE, load_recipe(name))
        return [augment(*frame, seed) for seed in range(12)]

    with ThreadPoolExecutor(2) as pool:
        one, two = pool.map(samples, range(2))
    for (image, mask), (image2, mask2) in zip(one, two, strict=True):
        assert image.shape == (48, 64, 3) and image.dtype == np.uint8
        assert mask.shape == (48, 64) and mask.dtype == np.uint8
        np.testing.assert_array_equal(image, image2)
        np.testing.assert_array_equal(mask, mask2)
    differ = sum(not np.array_equal(one[0][0], image) for image, _ in one[1:])
    assert differ == 0 if name == "none" else differ > 0


@pytest.mark.parametrize("name", sorted(TRANSFORMS))
def test_every_transform_changes_the_image_and_no_label_is_made_up(
    name: str, frame: tuple[U8, U8]
) -> None:
    plain, mask = Augment(SIZE, Recipe("none", ()))(*frame, 1)
    image, augmented = Augment(SIZE, only(name))(*frame, 1)
    assert not np.array_equal(image, plain)
    assert set(np.unique(augmented)) <= set(np.unique(frame[1])) | {0}
    if name not in ("crop", "flip", "affine", "bonnet", "erase"):
        np.testing.assert_array_equal(augmented, mask)


@pytest.mark.parametrize("void", [0, 255])
def test_void_fills_the_mask_where_the_frame_ends(frame: tuple[U8, U8], void: int) -> None:
    shrunk = only("affine", scale=(0.5, 0.5), rotate=(0.0, 0.0))
    image, mask = Augment(SIZE, shrunk, void)(*frame, 3)
    assert (mask[:8] == void).all() and (mask[-8:] == void).all()
    assert not image[:8].any()
    assert not (mask[16:32, 20:44] == void).any()


def test_flip_mirrors_image_and_mask_together(frame: tuple[U8, U8]) -> None:
    plain, mask = Augment(SIZE, Recipe("none", ()))(*frame, 1)
    image, mirrored = Augment(SIZE, only("flip"))(*frame, 1)
    np.testing.assert_array_equal(image, plain[:, ::-1])
    np.testing.assert_array_equal(mirrored, mask[:, ::-1])


def test_a_bonnet_is_void_and_the_road_above_it_stays(frame: tuple[U8, U8]) -> None:
    image, mask = frame
    plain, truth = Augment(SIZE, Recipe("none", ()))(image, mask, 1)
    recipe = only("bonnet", height=(0.2, 0.2))
    seen, ids = Augment(SIZE, recipe, void=255)(image, mask, 1)
    hidden = ids == 255
    assert 0.08 < hidden.mean() < 0.3
    assert hidden[-1].all() and not hidden[: SIZE[1] // 2].any()
    np.testing.assert_array_equal(ids[~hidden], truth[~hidden])
    np.testing.assert_array_equal(seen[~hidden], plain[~hidden])
    assert np.abs(seen[hidden].astype(int) - plain[hidden]).mean() > 10
    planes = np.repeat(mask[..., None], 8, -1)
    _, soft = Augment(SIZE, recipe)(image, planes, 1)
    assert not soft[hidden].any()


def test_what_is_erased_is_void_and_the_rest_stays(frame: tuple[U8, U8]) -> None:
    plain, truth = Augment(SIZE, Recipe("none", ()))(*frame, 1)
    recipe = only("erase", patches=(1.0, 1.0), side=(0.2, 0.2))
    seen, ids = Augment(SIZE, recipe, void=255)(*frame, 1)
    hidden = ids == 255
    assert hidden.sum() == int(0.2 * SIZE[0]) * int(0.2 * SIZE[1])
    assert len(np.unique(seen[hidden], axis=0)) == 1
    np.testing.assert_array_equal(ids[~hidden], truth[~hidden])
    np.testing.assert_array_equal(seen[~hidden], plain[~hidden])
    planes = np.repeat(frame[1][..., None], 8, -1)
    _, soft = Augment(SIZE, recipe)(frame[0], planes, 1)
    assert not soft[hidden].any()


def test_fog_thickens_towards_the_horizon(frame: tuple[U8, U8]) -> None:
    black = np.zeros_like(frame[0])
    image, _ = Augment(SIZE, only("fog", density=(0.9, 0.9)))(black, frame[1], 1)
    rows = image[..., 0].mean(axis=1)
    assert rows[0] > 120  # far: 0.9 of an air light of at least 0.75 * 205
    assert rows[-1] < rows[0] / 2
    assert (np.diff(rows) <= 0).all()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('[[step]]\ntransform = "flpi"', "step 1.*'flpi' is unknown; did you mean flip"),
        ("[[step]]\np = 0.5", "transform = None is unknown"),
        ('[[step]]\ntransform = "flip"\np = 1.5', "p = 1.5: expected a number from 0 to 1"),
        ('[[step]]\ntransform = "flip"\np = true', "p = True"),
        ('[[step]]\ntransform = "crop"\narae = [0.2, 1]', "'arae' is unknown; did you mean area"),
        ('[[step]]\ntransform = "crop"\narea = [0.9, 0.2]', "smaller number first"),
        ('[[step]]\ntransform = "crop"\narea = [0.2, 7]', "expected a number from 0.01 to 1"),
        ('[[step]]\ntransform = "crop"\narea = 0.5', r"expected a range \[from, to\]"),
        ('[[step]]\ntransform = "light"\nhue = "much"', "hue = 'much'"),
        ('[[step]]\ntransform = "flip"\n[[step]]\ntransform = "crop"', "must be the first step"),
        ('[[step]]\ntransform = "one_of"', "tables to choose from"),
        (
            '[[step]]\ntransform = "one_of"\n[[step.of]]\ntransform = "crop"',
            "'crop' is unknown",
        ),
        ('name = "x"', "key 'name' is unknown"),
        ("step = 3", r"expected \[\[step\]\] tables"),
        ("[[step", "not TOML"),
    ],
)
def test_a_bad_recipe_is_one_line(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "own.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=words) as caught:
        load_recipe(path)
    assert "own.toml" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_unknown_recipe_names_the_nearest() -> None:
    with pytest.raises(ConfigError, match="did you mean geometry"):
        load_recipe("geometri")
    with pytest.raises(ConfigError, match=r"nowhere\.toml cannot be read"):
        load_recipe("nowhere.toml")


def test_a_record_holds_the_recipe_in_full() -> None:
    record = load_recipe("full").to_json()
    assert record["name"] == "full"
    assert [step["transform"] for step in record["steps"]][:2] == ["crop", "flip"]
    assert record["steps"][0]["area"] == (0.2, 1.0)
    assert [step["transform"] for step in record["steps"][-1]["of"]] == ["blur", "noise"]
