"""Lens and scene checks: no false alarm on a road in any weather, each defect named."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from roadmask.daemon.scene import SceneCheck, SceneLimits
from roadmask.errors import ConfigError
from roadmask.stream.modes import Reason
from roadmask.town.town import WEATHERS, Town

SHARED = Path(__file__).parents[4] / "shared" / "data"
TICK_NS = 100_000_000
SIZES = [(288, 224), (480, 352), pytest.param((1024, 512), marks=pytest.mark.slow)]
Change = Callable[[np.ndarray], np.ndarray]
rng = np.random.default_rng(4)


def noisy(image: np.ndarray, sigma: float) -> np.ndarray:
    return np.clip(image + rng.normal(0, sigma, image.shape), 0, 255).astype(np.uint8)


def fog(image: np.ndarray) -> np.ndarray:
    """Koschmieder's law with a distance that grows towards the horizon: half is left near by."""
    distance = np.clip(np.linspace(1.2, 0.3, image.shape[0]), 0, 1.2)[:, None, None]
    clear = 0.5**distance
    return (image * clear + 200 * (1 - clear)).astype(np.uint8)


def night(image: np.ndarray) -> np.ndarray:
    return noisy(255 * (image / 255.0) ** 1.8 * 0.4, 4)


def blurred(image: np.ndarray) -> np.ndarray:
    return noisy(cv2.GaussianBlur(image, (0, 0), image.shape[1] / 100), 1.5)


def covered(image: np.ndarray) -> np.ndarray:
    """A finger on the lens: reddish, smooth, with a sensor's noise."""
    blobs = rng.uniform(0, 25, (3, 4, 3)).astype(np.float32) + np.float32((80, 30, 20))
    size = (image.shape[1], image.shape[0])
    return noisy(cv2.resize(blobs, size, interpolation=cv2.INTER_CUBIC), 2)


GOOD: dict[str, Change] = {"as it is": lambda image: image, "fog": fog}
BAD: dict[str, tuple[Change, Reason]] = {
    "black": (lambda image: noisy(np.full_like(image, 2), 3), Reason.DARK),
    "overexposed": (lambda image: noisy(np.full_like(image, 253), 3), Reason.OVEREXPOSED),
    "blurred": (blurred, Reason.BLOCKED),
    "covered": (covered, Reason.BLOCKED),
}


def drive(weather: str) -> list[np.ndarray]:
    town = Town(7, 1280, 720, weather=weather)
    return [np.ascontiguousarray(town.frame(index).image[..., ::-1]) for index in (0, 97)]


@pytest.fixture(scope="module")
def drives() -> dict[str, list[np.ndarray]]:
    return {weather: drive(weather) for weather in WEATHERS}


def reasons(check: SceneCheck, pictures: list[np.ndarray], looks: int = 12) -> list[Reason]:
    """What is said after each of so many looks."""
    return [check.look(pictures[i % len(pictures)], (i + 1) * TICK_NS) for i in range(looks)]


def film(pictures: list[np.ndarray], looks: int = 12) -> list[np.ndarray]:
    """So many looks of a camera, whose last bits never stand still."""
    return [
        (pictures[i % len(pictures)].astype(np.int16) + rng.integers(0, 2, pictures[0].shape))
        .clip(0, 255)
        .astype(np.uint8)
        for i in range(looks)
    ]


def shrunk(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("weather", WEATHERS)
def test_no_weather_is_a_false_alarm(
    drives: dict[str, list[np.ndarray]], weather: str, size: tuple[int, int]
) -> None:
    changes = dict(GOOD)
    if weather != "dusk":  # dusk at a sixth of its light is black
        changes["night"] = night
    for name, change in changes.items():
        pictures = [shrunk(change(image), size) for image in drives[weather]]
        said = reasons(SceneCheck(SceneLimits(), live=True), film(pictures))
        assert not any(said), f"{name}: {said}"


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("defect", BAD)
def test_each_defect_is_named_and_taken_back(
    drives: dict[str, list[np.ndarray]], defect: str, size: tuple[int, int]
) -> None:
    change, expected = BAD[defect]
    for weather in ("day", "rain"):
        good = [shrunk(image, size) for image in drives[weather]]
        bad = [shrunk(change(image), size) for image in drives[weather]]
        check = SceneCheck(SceneLimits(), live=True)
        assert reasons(check, film(bad))[-1] == expected
        assert not reasons(check, film(good))[-1]


def test_real_roads_are_no_false_alarm() -> None:
    if not SHARED.is_dir():
        pytest.skip("no ../shared/data")
    pictures = [cv2.imread(str(path)) for path in sorted((SHARED / "camvid/val").iterdir())[::9]]
    video = cv2.VideoCapture(str(SHARED / "video/solidWhiteRight.mp4"))
    for _ in range(8):
        good, image = video.read()
        assert good
        pictures.append(image)
    for size in ((288, 224), (480, 352)):
        check = SceneCheck(SceneLimits(), live=True)
        for index, picture in enumerate(pictures):
            rgb = np.ascontiguousarray(shrunk(picture, size)[..., ::-1])
            for change in (*GOOD.values(), night):
                assert not check.look(change(rgb), index * TICK_NS), index


def test_hysteresis() -> None:
    """Half a second to be raised, one to be cleared, and one other look starts the time anew."""
    bad = np.full((64, 96, 3), 255, np.uint8)
    good = shrunk(drive("day")[0], (96, 64)) // 2
    check = SceneCheck(SceneLimits(), live=False)
    said = reasons(check, [bad] * 4 + [good] + [bad] * 6, 11)
    assert said == [Reason.NONE] * 10 + [Reason.OVEREXPOSED]
    said = reasons(check, [good] * 9 + [bad] + [good] * 11, 21)
    assert said == [Reason.OVEREXPOSED] * 20 + [Reason.NONE]


def test_a_band_between_the_limits_changes_nothing() -> None:
    limits = SceneLimits(raise_s=0, clear_s=0)

    def white(share: float) -> np.ndarray:
        image = rng.integers(60, 190, (60, 100, 3), np.uint8)
        image[:, : round(100 * share)] = 255
        return image

    check = SceneCheck(limits, live=True)
    for share, raised in ((0.78, False), (0.83, True), (0.78, True), (0.70, False), (0.78, False)):
        assert bool(check.look(white(share), TICK_NS) & Reason.OVEREXPOSED) == raised, share


def test_only_a_camera_can_freeze(drives: dict[str, list[np.ndarray]]) -> None:
    picture = shrunk(drives["day"][0], (480, 352))
    for live in (True, False):
        said = reasons(SceneCheck(SceneLimits(), live), [picture])
        assert said[-1] == (Reason.FROZEN if live else Reason.NONE)
        # A difference from the first look on, half a second of it: the seventh.
        assert said.index(Reason.FROZEN) == 6 if live else True


@pytest.mark.parametrize("pictures", [2, 4, 16])
def test_a_few_old_pictures_that_go_round_are_frozen(
    drives: dict[str, list[np.ndarray]], pictures: int
) -> None:
    """A driver whose buffers nobody fills any more hands them out in turn."""
    old = film([shrunk(drives["day"][0], (480, 352))], pictures)
    said = reasons(SceneCheck(SceneLimits(), live=True), old, pictures + 12)
    # A picture comes again at look ``pictures``; half a second of that, and it is said.
    assert said.index(Reason.FROZEN) == pictures + 5 and said[-1] == Reason.FROZEN
    assert not any(reasons(SceneCheck(SceneLimits(), live=False), old, pictures + 12))


@pytest.mark.parametrize("size", SIZES[:2])
@pytest.mark.parametrize("correlated", [0, 1, 4])
def test_a_black_lens_has_its_name_at_any_noise(correlated: int, size: tuple[int, int]) -> None:
    """Nothing but a sensor's noise, white or smoothed, weak or at the highest gain."""
    noise = rng.standard_normal((720, 1280, 3), np.float32)
    if correlated:
        noise = cv2.GaussianBlur(noise, (0, 0), correlated)
        noise /= noise.std()
    for level, sigma in ((2, 3), (8, 8), (14, 4), (16, 20), (0, 40), (30, 20), (60, 30)):
        picture = shrunk(np.clip(level + sigma * noise, 0, 255).astype(np.uint8), size)
        said = reasons(SceneCheck(SceneLimits(), live=True), film([picture]))
        assert said[-1] in (Reason.DARK, Reason.BLOCKED), (level, sigma)


@pytest.mark.parametrize("size", SIZES[:2])
@pytest.mark.parametrize("camera", [(1280, 720), (640, 480), (288, 224)])
@pytest.mark.parametrize("channels", [1, 3])
def test_noise_alone_is_no_road(
    drives: dict[str, list[np.ndarray]],
    size: tuple[int, int],
    camera: tuple[int, int],
    channels: int,
) -> None:
    """Every value as likely as any other, of which networks are surer than of a road at night."""
    noise = [rng.integers(0, 256, (camera[1], camera[0], channels), np.uint8) for _ in range(3)]
    bad = [shrunk(np.repeat(picture, 3 // channels, axis=2), size) for picture in noise]
    check = SceneCheck(SceneLimits(), live=False)  # three pictures in turn are not FROZEN
    assert reasons(check, bad)[-1] == Reason.BLOCKED
    good = [shrunk(image, size) for image in drives["day"]]
    assert not reasons(check, film(good))[-1]


def test_one_grey_level_of_noise_is_no_frozen_picture(
    drives: dict[str, list[np.ndarray]],
) -> None:
    picture = shrunk(drives["day"][0], (480, 352))
    pictures = film([picture])
    assert not any(reasons(SceneCheck(SceneLimits(), live=True), pictures))


def test_looks_are_paced_and_can_be_switched_off() -> None:
    picture = rng.integers(0, 255, (64, 96, 3), np.uint8)
    check = SceneCheck(SceneLimits(), live=True)
    assert check.due(5)
    check.look(picture, 5)
    assert not check.due(5 + TICK_NS - 1)
    assert check.due(5 + TICK_NS)
    assert not SceneCheck(SceneLimits(every_s=0), live=True).due(5)


@pytest.mark.parametrize(
    ("name", "value"),
    [("dark", 1.1), ("bright", -0.1), ("detail", -1.0), ("every_s", float("nan"))],
)
def test_limits_are_checked(name: str, value: float) -> None:
    with pytest.raises(ConfigError, match=f"{name} = {value}; expected"):
        SceneLimits(**{name: value})


@pytest.mark.parametrize("size", [(32, 32), (4096, 32), (33, 47)])
def test_every_size_of_a_network(size: tuple[int, int]) -> None:
    picture = rng.integers(0, 255, (size[1], size[0], 3), np.uint8)
    assert not SceneCheck(SceneLimits(), live=True).look(picture, TICK_NS)
