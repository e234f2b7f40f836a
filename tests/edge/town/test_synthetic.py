from __future__ import annotations

import hashlib
import itertools
import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from roadmask.errors import ConfigError
from roadmask.imaging.reading import read_image, read_instances, read_mask
from roadmask.labels.catalogue import CITYSCAPES_34
from roadmask.town.export import write_cityscapes
from roadmask.town.town import Town, TownFrame

SMALL = (320, 180)


def digest(frame: TownFrame) -> str:
    h = hashlib.sha256()
    for plane in (frame.image, frame.label_ids, frame.instance_ids, frame.category_mask):
        h.update(plane.tobytes())
    return h.hexdigest()


@pytest.fixture(scope="module")
def drive() -> list[TownFrame]:
    """Two minutes through three towns, a frame every six seconds."""
    towns = [Town(seed, *SMALL) for seed in (1, 4, 8)]
    return [town.frame(i) for town in towns for i in range(0, 3600, 180)]


def test_same_frame_in_any_order_and_instance() -> None:
    one, two = Town(7, *SMALL), Town(7, *SMALL)
    forwards = [digest(frame) for frame in itertools.islice(one, 6)]
    backwards = [digest(two.frame(i)) for i in reversed(range(6))]
    assert forwards == backwards[::-1]
    two.frame(5000)  # far away: caches turn over
    assert digest(two.frame(3)) == forwards[3]


def test_same_frame_in_another_process() -> None:
    code = (
        "import sys, hashlib; from roadmask.town.town import Town\n"
        f"f = Town(3, {SMALL[0]}, {SMALL[1]}).frame(777)\n"
        "h = hashlib.sha256()\n"
        "for p in (f.image, f.label_ids, f.instance_ids, f.category_mask): h.update(p.tobytes())\n"
        "print(h.hexdigest())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
            "PYTHONHASHSEED": "5",
        },
    )
    assert done.stdout.strip() == digest(Town(3, *SMALL).frame(777))


@pytest.mark.parametrize("size", [(64, 48), (97, 61), (333, 251), (61 + 40, 200), (480, 90)])
def test_shapes_and_types_at_odd_sizes(size: tuple[int, int]) -> None:
    w, h = size
    frame = Town(2, w, h).frame(450)
    assert frame.image.shape == (h, w, 3) and frame.image.dtype == np.uint8
    assert frame.label_ids.shape == (h, w) and frame.label_ids.dtype == np.uint8
    assert frame.instance_ids.shape == (h, w) and frame.instance_ids.dtype == np.uint16
    assert frame.category_mask.shape == (h, w) and frame.category_mask.dtype == np.uint8


def test_every_category_in_sane_shares(drive: list[TownFrame]) -> None:
    counts = sum(np.bincount(f.category_mask.ravel(), minlength=8) for f in drive)
    shares = counts / counts.sum()
    assert shares[0] == 0  # nothing is left unpainted
    bounds = {1: (0.25, 0.5), 2: (0.1, 0.4), 3: (0.008, 0.06), 4: (0.06, 0.3), 5: (0.05, 0.3)}
    bounds |= {6: (0.005, 0.05), 7: (0.03, 0.2)}
    for category, (low, high) in bounds.items():
        assert low < shares[category] < high, (category, shares)
    present = np.mean([[np.any(f.category_mask == c) for c in range(1, 8)] for f in drive], axis=0)
    assert present.min() > 0.8


def test_categories_follow_from_labels(drive: list[TownFrame]) -> None:
    for frame in drive[::7]:
        expected = CITYSCAPES_34.category_table[frame.label_ids]
        np.testing.assert_array_equal(frame.category_mask, expected)


def test_instances_agree_with_labels(drive: list[TownFrame]) -> None:
    for frame in drive[::7]:
        single = frame.instance_ids >= 1000
        np.testing.assert_array_equal(single, (frame.label_ids >= 24) & (frame.label_ids <= 33))
        np.testing.assert_array_equal(frame.instance_ids[single] // 1000, frame.label_ids[single])
        np.testing.assert_array_equal(frame.instance_ids[~single], frame.label_ids[~single])


def test_a_drive_is_continuous() -> None:
    town = Town(5, *SMALL)
    masks = [town.frame(i).category_mask for i in range(900, 915)]
    agreement = [np.mean(a == b) for a, b in itertools.pairwise(masks)]
    assert min(agreement) > 0.9
    assert max(agreement) < 1  # it moves


def test_labels_and_colours_coincide() -> None:
    # Where sky meets anything else the picture must show an edge: the same geometry drew both.
    frame = Town(5, 640, 360, weather="day").frame(300)
    gray = cv2.cvtColor(frame.image, cv2.COLOR_BGR2GRAY).astype(np.int32)
    sky = frame.category_mask == 5
    border = sky[:, 1:] != sky[:, :-1]
    step = np.abs(gray[:, 1:] - gray[:, :-1])
    assert step[border].mean() > 4 * step[~border].mean()


def test_seeds_and_weathers_differ() -> None:
    assert digest(Town(1, *SMALL).frame(60)) != digest(Town(2, *SMALL).frame(60))
    day, dusk, rain = (Town(2, *SMALL, weather=w).frame(60) for w in ("day", "dusk", "rain"))
    assert dusk.image.mean() < 0.6 * day.image.mean()
    assert dusk.image.mean() < rain.image.mean()
    np.testing.assert_array_equal(day.category_mask, rain.category_mask)
    assert rain.image.std() < day.image.std()


def test_frame_rate_sets_the_pace() -> None:
    a, b = Town(1, *SMALL, fps=30).frame(60), Town(1, *SMALL, fps=15).frame(30)
    np.testing.assert_array_equal(a.category_mask, b.category_mask)


@pytest.mark.parametrize(
    "arguments",
    [
        {"width": 63},
        {"height": 47},
        {"width": 9000},
        {"fps": 0.0},
        {"fps": float("nan")},
        {"weather": "snow"},
    ],
)
def test_unusable_arguments_are_refused(arguments: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match="expected"):
        Town(1, **arguments)  # type: ignore[arg-type]


def test_negative_frame_is_refused() -> None:
    with pytest.raises(ConfigError, match="0 or more"):
        Town(1, *SMALL).frame(-1)


def test_cityscapes_layout(tmp_path: Path) -> None:
    root = tmp_path / "town"
    calls: list[tuple[int, int]] = []
    write_cityscapes(
        root, seed=3, train=9, val=4, test=2, width=160, height=80,
        progress=lambda done, total: calls.append((done, total)),
    )  # fmt: skip
    assert calls == [(i + 1, 15) for i in range(15)]
    cities: dict[str, set[str]] = {}
    known = CITYSCAPES_34.known_ids
    for split, count in (("train", 9), ("val", 4), ("test", 2)):
        images = sorted((root / "leftImg8bit" / split).glob("*/*_leftImg8bit.png"))
        assert len(images) == count
        cities[split] = {path.parent.name for path in images}
        for path in images:
            city, sequence, number, _ = path.name.split("_")
            assert city == path.parent.name and len(sequence) == len(number) == 6
            stem = root / "gtFine" / split / city / path.name.removesuffix("leftImg8bit.png")
            labels = read_mask(f"{stem}gtFine_labelIds.png")
            instances = read_instances(f"{stem}gtFine_instanceIds.png")
            assert read_image(path).shape == (80, 160, 3)
            assert labels.shape == (80, 160) and known[labels].all()
            assert instances.dtype == np.uint16
            np.testing.assert_array_equal(
                np.where(instances >= 1000, instances // 1000, instances), labels
            )
    assert len(cities["train"]) >= 2
    assert not cities["train"] & cities["val"] and not cities["val"] & cities["test"]
    leftovers = [p for p in root.rglob("*") if p.is_file() and p.name.startswith(".")]
    assert not leftovers


def test_root_in_use_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("keep")
    with pytest.raises(ConfigError, match="not empty"):
        write_cityscapes(tmp_path, train=1, val=0)
    assert (tmp_path / "mine.txt").read_text() == "keep"


def test_counts_are_checked(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="0 or more"):
        write_cityscapes(tmp_path / "a", train=-1, val=2)
