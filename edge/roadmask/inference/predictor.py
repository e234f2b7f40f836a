"""From one picture to one mask: whoever has a picture and wants its mask asks here.

Logits are brought to the size that is asked for by the daemon's kernel, class ids nearest at pixel
centres, so a mask does not depend on who made it.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from roadmask.arrays import U8, Image, Mask, Tensor
from roadmask.errors import DataError
from roadmask.inference.engine import Engine
from roadmask.inference.model_file import DEFAULT_MODEL
from roadmask.inference.postprocess import Postprocess
from roadmask.inference.preprocess import LARGEST_SIDE_PX, Preprocess
from roadmask.inference.scores import Scores
from roadmask.labels.label_set import CATEGORY_NAMES, UNKNOWN, LabelSet


@dataclass(frozen=True)
class Segmentation:
    """What a network makes of a picture of ``H`` x ``W`` px.

    Attributes:
        mask: ``(H, W) uint8`` categories, 0 (void: no claim) to 7, see ``Category``.
        confidence: ``(H, W) uint8``: how sure the network is of each pixel, 255 for certain;
            None for a network that ends in class ids, which tell none.
        shares: name of each of the 8 categories → fraction of the pixels, 0 to 1; of a mask of
            classes they say nothing.
        invalid: fraction that is void because the network gave nothing that can be read: NaN,
            infinity, a class that its label set does not have. The daemon publishes no mask over
            ``MOST_INVALID``.
    """

    mask: U8
    confidence: U8 | None
    shares: dict[str, float]
    invalid: float


class Predictor:
    """A loaded network that turns pictures into masks; calls from several threads wait in turn.

    Args:
        engine: the network, or what stands in for one.
        classes: masks hold the ids of the label set's classes in place of categories, its
            ``void_id`` where nothing is known.
        abstain, levels: of ``Postprocess``.

    Raises:
        ConfigError: as ``Postprocess``.

    Attributes:
        invoke_ms: of the last picture, the network alone.
    """

    def __init__(
        self, engine: Engine, *, classes: bool = False, abstain: float = 0.0, levels: bool = False
    ) -> None:
        self.engine = engine
        self.invoke_ms = 0.0
        self._table: U8 | None = None
        self._ids: U8 | None = None
        if classes:
            self._table, self._ids = _class_tables(engine.labels)
        self._preprocess = Preprocess(engine, engine.input_size)
        self._abstain, self._levels = abstain, levels
        self._postprocess = self._made(engine.input_size)
        self._lock = threading.Lock()

    @property
    def confidence_table(self) -> U8 | None:
        """Of ``Postprocess``."""
        return self._postprocess.confidence_table

    @property
    def scores(self) -> Scores | None:
        """Of ``Postprocess``."""
        return self._postprocess.scores

    @property
    def gives_confidence(self) -> bool:
        """Whether the output tells how sure it is; class ids do not."""
        return self._postprocess.gives_confidence

    def __call__(self, image_rgb: Image) -> Segmentation:
        """Segment one picture, ``(H, W, 3) uint8`` RGB of any size.

        Raises:
            DataError: not such an array.
            ModelError: the network failed.
        """
        return self.segment(_bgr(image_rgb))

    def segment(
        self, image: Image, confidence: bool = True, size: tuple[int, int] | None = None
    ) -> Segmentation:
        """The same of ``(H, W, 3) uint8`` BGR, as cameras and files give it.

        Args:
            image: the picture; its rows may be apart.
            confidence: whether that plane is wanted.
            size: width and height of the mask in px, the picture's by default.

        Raises:
            DataError: as ``prepare``.
            ModelError: the network failed.
        """
        height, width = image.shape[:2]
        width, height = size or (width, height)
        mask = np.empty((height, width), np.uint8)
        plane = np.empty_like(mask) if confidence and self.gives_confidence else None
        with self._lock:
            self.prepare(image, self.engine.input)
            started = time.perf_counter()
            self.engine.invoke()
            self.invoke_ms = 1e3 * (time.perf_counter() - started)
            postprocess = self._at((width, height))
            counts = postprocess.into(mask, plane)
            invalid = postprocess.invalid / mask.size
        mask = mask if self._ids is None else self._ids[mask]
        shares = {name: n / mask.size for name, n in zip(CATEGORY_NAMES, counts, strict=True)}
        return Segmentation(mask, plane, shares, invalid)

    def mask(self, image: Image) -> Mask:
        """``(H, W, 3) uint8`` BGR → ``(H, W) uint8``, of the picture's size."""
        return self.segment(image, confidence=False).mask

    def published(self, image: Image) -> Mask:
        """The same at the network's input size, as the daemon publishes it."""
        return self.segment(image, confidence=False, size=self.engine.input_size).mask

    def prepare(self, image: Image, tensor: Tensor) -> None:
        """Fit a BGR picture into ``(H, W, 3)`` of the engine's input type, for a batch of them.

        Raises:
            DataError: the picture is larger than the kernels take.
        """
        self._preprocess.into(image, tensor)

    def draw(self, output: Tensor, size: tuple[int, int]) -> Mask:
        """The mask of an output of the network's, ``(h, w, C)`` logits or ``(h, w)`` ids."""
        mask = np.empty(size[::-1], np.uint8)
        self._at(size).into(mask, output=output)
        return mask if self._ids is None else self._ids[mask]

    def _at(self, size: tuple[int, int]) -> Postprocess:
        if self._postprocess.mask_size != size:
            self._postprocess = self._made(size)
        return self._postprocess

    def _made(self, size: tuple[int, int]) -> Postprocess:
        return Postprocess(
            self.engine, size, self._table, abstain=self._abstain, levels=self._levels
        )


def _class_tables(labels: LabelSet) -> tuple[U8, U8]:
    """What the kernel draws for each class, and the class of what it drew.

    It draws 0 where nothing is known, which is road in cityscapes-19: a class is its id and one.
    """
    ids = np.arange(UNKNOWN).astype(np.uint8)
    drawn = np.full(UNKNOWN + 1, UNKNOWN, np.uint8)
    drawn[:UNKNOWN] = np.where(labels.known_ids[:UNKNOWN], ids + 1, UNKNOWN)
    return drawn, np.append(np.uint8(labels.void_id), ids)


def load(
    model: str | Path = DEFAULT_MODEL,
    *,
    threads: int = 1,
    labels: str | LabelSet | None = None,
    abstain: float = 0.0,
) -> Predictor:
    """A network, ready to be called with pictures: ``load()(image_rgb).mask``.

    Args:
        model: path, or stem of a shipped model.
        threads: of the interpreter.
        labels: label set of the output, where the file does not name it.
        abstain: a pixel with less confidence (0 to 1) than this is void.

    Raises:
        ModelError: missing, corrupt or not of a supported form.
        ConfigError: no label set is known, or it does not fit the output; a number that is none.
    """
    return Predictor(Engine(model, threads, labels), abstain=abstain)


def _bgr(image: Image) -> Image:
    if (
        not isinstance(image, np.ndarray)
        or image.dtype != np.uint8
        or image.ndim != 3
        or image.shape[2] != 3
        or not 1 <= min(image.shape[:2]) <= max(image.shape[:2]) <= LARGEST_SIDE_PX
    ):
        given = f"{getattr(image, 'dtype', '')} {getattr(image, 'shape', '')}".strip()
        raise DataError(
            f"image_rgb: given {type(image).__name__} {given}".rstrip()
            + f", expected an array (H, W, 3) uint8 RGB with sides of 1 to {LARGEST_SIDE_PX} px"
        )
    return np.asarray(cv2.cvtColor(np.ascontiguousarray(image), cv2.COLOR_RGB2BGR), np.uint8)
