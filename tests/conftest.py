"""What the tests share: folders of real frames where they lie beside the clone, small data sets."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import cv2
import numpy as np
import pytest

from roadmask.inference.model_file import DEFAULT_MODEL, model_path
from roadmask.labels.catalogue import CAMVID_11

# Silence before TensorFlow and OpenCV load: their C++ logs drown a failing test's output.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("OPENCV_LOG_LEVEL", "FATAL")

# A shell's background job ignores Ctrl-C, and so would every program that a test interrupts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

_SHARED = Path(__file__).parents[2] / "shared"


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real driving data beside the clone."""
    if not _SHARED.is_dir():
        pytest.skip("no ../shared beside this clone")
    return _SHARED


@pytest.fixture(scope="session")
def shipped_model() -> Path:
    return model_path(DEFAULT_MODEL)


@pytest.fixture(scope="session")
def camvid_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in CamVid's layout: six 96x72 town frames for training, three for validation."""
    from roadmask.town.town import Town

    root = tmp_path_factory.mktemp("camvid")
    # One CamVid class for each category, void last.
    camvid_class = np.zeros(8, np.uint8)
    for c in reversed(CAMVID_11.classes):
        camvid_class[c.category] = c.class_id
    for split, drives, seed in (("train", ("A", "B"), 11), ("val", ("C",), 12)):
        town = Town(seed, 96, 72)
        (root / split).mkdir()
        (root / f"{split}annot").mkdir()
        for drive in drives:
            for number in range(3):
                frame = town.frame(40 * number + ord(drive))
                name = f"{drive}_{number:04d}.png"
                cv2.imwrite(str(root / split / name), frame.image)
                cv2.imwrite(str(root / f"{split}annot" / name), camvid_class[frame.category_mask])
    return root


@pytest.fixture(scope="session")
def keras_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small network of the zoo with random weights."""
    from convert.tensorflow_import import import_tensorflow

    import_tensorflow()
    import keras

    from train.models import build_model

    keras.utils.set_random_seed(3)
    path = tmp_path_factory.mktemp("network") / "tiny.keras"
    build_model("roadnet", (96, 64)).save(path)
    return path
