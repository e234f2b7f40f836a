"""Pictures of the town as a source finds them: a video, a folder."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from source_parts import SIZE, write_video

from roadmask.town.town import Town


@pytest.fixture(scope="module")
def town_images() -> list[np.ndarray]:
    town = Town(3, *SIZE, 10.0)
    return [town.frame(index * 5).image for index in range(12)]


@pytest.fixture
def video(tmp_path: Path, town_images: list[np.ndarray]) -> Path:
    """Twelve frames of the town at 12.5 fps."""
    return write_video(tmp_path / "town.mp4", town_images, "mp4v", 12.5)


@pytest.fixture
def folder(tmp_path: Path, town_images: list[np.ndarray]) -> Path:
    path = tmp_path / "pictures"
    path.mkdir()
    for index, image in enumerate(town_images[:5]):
        cv2.imwrite(str(path / f"{index:03}.png"), image)
    return path
