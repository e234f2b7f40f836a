from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from convert.calibration.frames import Manifest, manifest_text, pixel_digest, read_manifest
from convert.calibration.pick import _quotas, _spread, pick_frames
from roadmask.data.datasets import open_dataset
from roadmask.errors import ConfigError


def test_picks_are_seeded_digested_and_from_every_drive(
    camvid_folder: Path, tmp_path: Path
) -> None:
    dataset = open_dataset("camvid", camvid_folder, "train")
    manifest = pick_frames(dataset, "train", 4, seed=5)
    assert manifest == pick_frames(dataset, "train", 4, seed=5)
    assert {name[0] for name in manifest.frames} == {"A", "B"}
    for index, name in enumerate(dataset.ids):
        if name in manifest.frames:
            assert manifest.frames[name] == pixel_digest(dataset[index].image)
    assert sum(manifest.histogram.values()) == pytest.approx(1, abs=0.001)
    path = tmp_path / "set.toml"
    path.write_text(manifest_text(manifest))
    assert read_manifest(path) == manifest


@pytest.mark.parametrize(
    ("sizes", "count", "quotas"),
    [
        ([204, 101, 62], 64, [35, 18, 11]),  # 35.58, 17.61, 10.81: the largest remainders
        ([100, 1], 2, [1, 1]),  # one each while it lasts
        ([5, 5, 5], 2, [1, 1, 0]),
        ([3, 1], 4, [3, 1]),
    ],
)
def test_quotas_add_up(sizes: list[int], count: int, quotas: list[int]) -> None:
    assert _quotas(sizes, count) == quotas


def test_spread_takes_one_of_each_cluster() -> None:
    # Three clusters on a line, of unlike size.
    points = np.array([0.0, 0.1, 0.2, 0.1, 5.0, 9.9, 10.0])[:, None]
    picked = _spread(points, 3, np.random.default_rng(0))
    assert sorted(round(points[i, 0] / 5) for i in picked) == [0, 1, 2]
    assert _spread(points, 0, np.random.default_rng(0)) == []
    assert len(set(_spread(np.zeros((5, 2)), 4, np.random.default_rng(0)))) == 4


def test_malformed_manifests_are_named(tmp_path: Path) -> None:
    path = tmp_path / "set.toml"
    whole = manifest_text(Manifest("town", "train", 8, 1, {"flat": 1.0}, {"a": "0" * 64}))
    for text, message in (
        (whole.replace("dataset", "data"), "KeyError 'dataset'"),
        (whole.replace('{ id = "a"', '{ name = "a"'), "KeyError 'id'"),
        (whole.replace("seed = 1", 'seed = "x"'), "ValueError"),
        (whole[: whole.index("frames = [")] + "frames = []\n", "names no frame"),
        (whole.replace("]\n", whole.splitlines()[-2] + "\n]\n"), "twice"),
        ("frames = [", "not TOML"),
    ):
        path.write_text(text)
        with pytest.raises(ConfigError, match=message):
            read_manifest(path)
