"""Folders of pictures, and the town."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import pytest
from source_parts import SIZE, read_all

from roadmask.errors import CaptureError
from roadmask.sources import (
    PictureError,
    SourceKind,
    open_source,
)
from roadmask.town.town import Town


def test_a_folder_in_the_order_of_names(folder: Path, town_images: list[np.ndarray]) -> None:
    (folder / "notes.txt").write_text("no picture")
    source = open_source(f"{folder}?realtime=0")
    assert (source.kind, source.size, source.fps) == (SourceKind.FILE, SIZE, 25.0)
    frames = read_all(source)
    assert [frame.frame_id for frame in frames] == list(range(5))
    for frame, image in zip(frames, town_images, strict=False):
        np.testing.assert_array_equal(frame.image, image)


def test_pictures_of_different_sizes(folder: Path) -> None:
    cv2.imwrite(str(folder / "002.png"), np.zeros((50, 40), np.uint8))  # greyscale, too
    frames = read_all(open_source(f"{folder}?realtime=0"))
    assert [frame.image.shape for frame in frames][1:4] == [(96, 160, 3), (50, 40, 3), (96, 160, 3)]


def test_a_bad_picture_is_named_and_passed_over(folder: Path) -> None:
    (folder / "002.png").write_bytes(b"no image")
    with open_source(f"{folder}?realtime=0") as source:
        assert [source.read(1).frame_id, source.read(1).frame_id] == [0, 1]  # type: ignore[union-attr]
        with pytest.raises(PictureError, match=r"decode error: image .*002\.png"):
            source.read(1)
        assert source.read(1).frame_id == 3  # type: ignore[union-attr]
    assert [frame.frame_id for frame in read_all(open_source(f"{folder}?realtime=0"))] == [
        0,
        1,
        3,
        4,
    ]


def test_a_folder_can_go_round(folder: Path) -> None:
    with open_source(f"{folder}?realtime=0&loop=1") as source:
        assert [frame.frame_id for frame in islice(source, 12)] == list(range(12))


def test_a_folder_that_became_unreadable_ends_with_an_error(folder: Path) -> None:
    with open_source(f"{folder}?realtime=0&loop=1") as source:
        for path in folder.iterdir():
            path.unlink()
        with pytest.raises(CaptureError, match="no image is readable any more"):
            list(source)


def test_one_image_is_a_source(folder: Path) -> None:
    assert len(read_all(open_source(str(folder / "001.png")))) == 1


def test_an_empty_folder(tmp_path: Path) -> None:
    with pytest.raises(CaptureError, match=r"holds no images: expected files ending in \.png"):
        open_source(str(tmp_path))


def test_a_folder_of_bad_pictures(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"no image")
    with pytest.raises(CaptureError, match="none of 1 images is readable"):
        open_source(str(tmp_path))


def test_the_town_tells_its_index() -> None:
    source = open_source("synthetic:town?seed=5&width=160&height=96&count=4&realtime=0")
    assert (source.kind, source.size, source.fps) == (SourceKind.SYNTHETIC, SIZE, 30.0)
    frames = read_all(source)
    assert [frame.frame_id for frame in frames] == [0, 1, 2, 3]
    town = Town(5, *SIZE, 30.0)
    for frame in frames:
        np.testing.assert_array_equal(frame.image, town.frame(frame.frame_id).image)


def test_a_prerendered_town_goes_round() -> None:
    with open_source("synthetic:town?width=160&height=96&prerender=2&realtime=0") as source:
        frames = list(islice(source, 5))
    assert [frame.frame_id for frame in frames] == [0, 1, 2, 3, 4]
    assert frames[0].image is frames[2].image is frames[4].image
