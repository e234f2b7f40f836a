"""Fit a stage of an encoder to what the published stages in its place put out.

Pictures for it are drawn (parts of the synthetic town, their light and colours varied), so that no
data set is needed where a network is built. It takes seconds.
"""

from __future__ import annotations

from typing import Any

import cv2
import keras
import numpy as np
import numpy.typing as npt

from roadmask.town.town import Town

SIDE = 96  # px
TOWNS, PICTURES, STEPS, BATCH, RATE = 16, 192, 300, 8, 1e-2
_SEED = 5000  # far from the towns of every split


def fit_stage(stage: keras.Model, published: keras.Model) -> None:
    """Fit ``stage`` in place, by the mean squared error in units of each channel's deviation.

    Args:
        stage: from the maps before it to the maps behind it.
        published: from a normalised picture to both.
    """
    before, after = (np.asarray(x) for x in published.predict_on_batch(town_pictures()))
    for layer in stage.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.9  # the statistics of the last steps are what counts
    deviation = after.std((0, 1, 2)) + 1e-6

    def loss(truth: Any, made: Any) -> Any:
        return keras.ops.mean(keras.ops.square((truth - made) / deviation))

    jit = "auto" if keras.backend.backend() != "tensorflow" else False
    rate = keras.optimizers.schedules.CosineDecay(RATE, STEPS)
    stage.compile(keras.optimizers.Adam(rate), loss, jit_compile=jit)
    rng = np.random.default_rng(_SEED)
    for _ in range(STEPS):
        picked = rng.integers(0, PICTURES, BATCH)
        stage.train_on_batch(before[picked], after[picked])


def town_pictures() -> npt.NDArray[np.float32]:
    """``(PICTURES, SIDE, SIDE, 3)`` RGB of about -1 to 1: squares of 128 to 300 px, shrunk."""
    rng = np.random.default_rng(_SEED)
    frames = [Town(_SEED + n, 640, 360).frame(40 * n).image[..., ::-1] for n in range(TOWNS)]
    return np.stack([_square(frames[n % TOWNS], rng) for n in range(PICTURES)])


def _square(frame: npt.NDArray[np.uint8], rng: np.random.Generator) -> npt.NDArray[np.float32]:
    side = int(rng.integers(128, 300))
    top, left = (int(rng.integers(0, length - side + 1)) for length in frame.shape[:2])
    part = np.ascontiguousarray(frame[top : top + side, left : left + side])
    pixels = cv2.resize(part, (SIDE, SIDE), interpolation=cv2.INTER_AREA) / 127.5 - 1
    pixels = pixels * rng.uniform(0.7, 1.3) + rng.uniform(-0.24, 0.24) + rng.normal(0, 0.06, 3)
    return np.asarray(np.clip(pixels, -1, 1), np.float32)
