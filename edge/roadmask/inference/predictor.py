"""From one picture to one mask."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

from roadmask.arrays import U8
from roadmask.errors import DataError
from roadmask.inference.engine import Engine
from roadmask.inference.postprocess import Postprocess
from roadmask.inference.preprocess import Preprocess
from roadmask.labels.label_set import CATEGORY_NAMES


@dataclass(frozen=True)
class Outcome:
    """What a network made of a picture.

    Attributes:
        model: its name here.
        digest: SHA-256 of the model file, hex.
        mask: ``(H, W) uint8`` categories at the picture's own size.
        confidence: the same, of 255, if it was asked for.
        invoke_ms: the network alone.
        shares: fraction of the pixels in each category.
    """

    model: str
    digest: str
    mask: U8
    confidence: U8 | None
    invoke_ms: float
    shares: dict[str, float]


class Predictor:
    """A loaded network and its plans for the last size of picture; it belongs to one thread."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.gives_confidence = len(engine.output_spec.shape) == 4
        self._size = (0, 0)
        self._preprocess: Preprocess
        self._postprocess: Postprocess

    def predict(self, image: U8, confidence: bool) -> Outcome:
        """``image`` is ``(H, W, 3) uint8`` BGR.

        Raises:
            DataError: confidence of a network that has none.
        """
        if confidence and not self.gives_confidence:
            raise DataError(f"model {self.engine.name} ends in class ids, which tell no confidence")
        height, width = image.shape[:2]
        if self._size != (width, height):
            self._preprocess = Preprocess(self.engine, (width, height))
            self._postprocess = Postprocess(self.engine, (width, height))
            self._size = (width, height)
        self._preprocess.into(image, self.engine.input)
        started = time.perf_counter()
        self.engine.invoke()
        invoke_ms = 1e3 * (time.perf_counter() - started)
        mask = np.empty((height, width), np.uint8)
        plane = np.empty((height, width), np.uint8) if confidence else None
        counts = self._postprocess.into(mask, plane)
        shares = {name: n / mask.size for name, n in zip(CATEGORY_NAMES, counts, strict=True)}
        return Outcome(self.engine.name, self.engine.digest, mask, plane, invoke_ms, shares)
