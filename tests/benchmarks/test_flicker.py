from __future__ import annotations

import math
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from benchmarks.model.flicker import FlickerMeter, Motion, compare_flicker, measure_flicker
from roadmask.arrays import F32, U8
from roadmask.errors import CaptureError, ConfigError, DataError
from roadmask.inference.engine import Engine
from roadmask.town.town import Town, TownFrame

FRAMES = 6


@pytest.fixture(scope="module")
def drive() -> list[tuple[U8, U8]]:
    """Pictures and true categories of a short drive."""
    town = Town(3, 240, 176, weather="day")
    return [(frame.image, frame.category_mask) for frame in map(town.frame, range(FRAMES))]


def measure(drive: list[tuple[U8, U8]], masks: list[U8], *, truth: bool) -> dict[str, float]:
    meter, motion = FlickerMeter(), Motion()
    for (image, categories), mask in zip(drive, masks, strict=True):
        size = (mask.shape[1], mask.shape[0])
        meter.update(mask, motion.update(image, size, categories if truth else None))
    return meter.report()


def test_the_truth_itself_does_not_flicker(drive: list[tuple[U8, U8]]) -> None:
    masks = [truth for _, truth in drive]
    report = measure(drive, masks, truth=True)
    assert report["flicker"] == 0
    assert report["consistency"] == 1
    assert report["compared"] > 0.7
    assert report["pairs"] == FRAMES - 1
    # Without it the edges, which the flow moves by fractions of a pixel, remain.
    assert 0 < measure(drive, masks, truth=False)["flicker"] < 0.05


def test_a_network_that_guesses_anew_each_frame(drive: list[tuple[U8, U8]]) -> None:
    rng = np.random.default_rng(1)
    masks = [rng.integers(1, 8, truth.shape).astype(np.uint8) for _, truth in drive]
    # Another of seven categories six times of seven.
    assert measure(drive, masks, truth=True)["flicker"] == pytest.approx(6 / 7, abs=0.01)


@pytest.mark.parametrize("truth", [True, False])
def test_the_share_that_blinks_is_found(drive: list[tuple[U8, U8]], truth: bool) -> None:
    masks = []
    for number, (_, categories) in enumerate(drive):
        mask = categories.copy()
        # A stripe over an eighth of the rows that is nature in every second frame.
        mask[100:122] = 4 if number % 2 else 1
        masks.append(mask)
    still = measure(drive, [t for _, t in drive], truth=truth)["flicker"]
    blinking = measure(drive, masks, truth=truth)["flicker"]
    assert blinking - still == pytest.approx(22 / 176, abs=0.04)


def test_moved_masks_are_followed() -> None:
    """A picture that slides by four pixels a frame, with a mask that slides along."""
    rng = np.random.default_rng(2)
    wide = cv2.GaussianBlur(rng.integers(0, 256, (96, 200, 3)).astype(np.uint8), (0, 0), 2)
    ids = np.kron(rng.integers(1, 8, (6, 10)), np.ones((16, 20))).astype(np.uint8)
    slid = [(wide[:, 4 * n : 4 * n + 128], ids[:, 4 * n : 4 * n + 128]) for n in range(4)]
    drive = [(np.ascontiguousarray(a), np.ascontiguousarray(b)) for a, b in slid]
    followed = measure(drive, [mask for _, mask in drive], truth=False)
    stuck = measure(drive, [drive[0][1]] * 4, truth=False)
    assert followed["flicker"] < 0.02
    assert stuck["flicker"] > 5 * max(followed["flicker"], 0.01)


def test_no_claim_is_left_out_and_nothing_is_nan(drive: list[tuple[U8, U8]]) -> None:
    report = measure(drive, [np.zeros_like(t) for _, t in drive], truth=False)
    assert report["compared"] == 0
    assert math.isnan(report["flicker"])


def test_a_network_on_the_town_and_on_a_folder(int8_file: Path, tmp_path: Path) -> None:
    engine = Engine(int8_file)
    uri = "synthetic:town?seed=3&width=160&height=96"
    town = measure_flicker(engine, uri, 5, progress=False)
    assert town["source"] == uri
    assert town["truth_known"] and town["pairs"] == 4
    assert 0 <= town["flicker"] <= 1
    for number in range(3):
        cv2.imwrite(str(tmp_path / f"{number}.png"), Town(3, 160, 96).frame(number).image)
    folder = measure_flicker(engine, str(tmp_path), 50, progress=False)
    assert not folder["truth_known"] and folder["pairs"] == 2
    assert folder["compared"] <= 1


def test_two_networks_share_each_frame_and_its_motion(
    int8_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts = {"frames": 0, "steps": 0}
    draw, follow = Town.frame, Motion._follow

    def frame(town: Town, index: int) -> TownFrame:
        counts["frames"] += 1
        return draw(town, index)

    def counted(motion: Motion, before: U8, after: U8) -> tuple[F32, npt.NDArray[np.bool_]]:
        counts["steps"] += 1
        return follow(motion, before, after)

    monkeypatch.setattr(Town, "frame", frame)
    monkeypatch.setattr(Motion, "_follow", counted)
    engine, uri = Engine(int8_file), "synthetic:town?seed=3&width=160&height=96"
    both = compare_flicker([engine, Engine(int8_file)], uri, 5, progress=False)
    assert counts == {"frames": 5, "steps": 4}  # picture and truth of one drawing
    assert both == [measure_flicker(engine, uri, 5, progress=False)] * 2


def test_unusable_videos(int8_file: Path, tmp_path: Path) -> None:
    engine = Engine(int8_file)
    cv2.imwrite(str(tmp_path / "1.png"), np.zeros((32, 32, 3), np.uint8))
    with pytest.raises(DataError, match="two frames or more"):
        measure_flicker(engine, str(tmp_path), 9, progress=False)
    with pytest.raises((CaptureError, ConfigError), match="nowhere"):
        measure_flicker(engine, "/nowhere.mp4", 9, progress=False)
