"""A network that somebody else made, as a row of a table, and what it answers."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
from network_parts import HEIGHT, WIDTH, Net, picture

from roadmask.inference.engine import Engine
from roadmask.inference.postprocess import Postprocess
from roadmask.inference.preprocess import Preprocess
from roadmask.inference.reading.read_as import ReadAs
from roadmask.labels.label_set import LabelClass, LabelSet

UNIT = {"scale": (1 / 255,) * 3}
SIGNED = {"scale": (1 / 127.5,) * 3, "offset": (-1.0,) * 3}
IMAGENET = {
    "scale": tuple(1 / (255 * std) for std in (0.229, 0.224, 0.225)),
    "offset": tuple(
        -mean / std for mean, std in zip((0.485, 0.456, 0.406), (0.229, 0.224, 0.225), strict=True)
    ),
}
U8 = Net(**UNIT, input="uint8", quantised=(1 / 255, 0))
STEPS = (110.0, 128)  # of uint8 logits; the colours' logits are 180 apart and more
NINETEEN = replace(U8, classes=19)
ONE = LabelSet("way", (LabelClass(0, "way", 1),))
TWO = LabelSet("way and rest", (LabelClass(0, "rest", 0), LabelClass(1, "way", 1)))
HOLES = LabelSet("holes", tuple(LabelClass(i, f"c{i}", 1 + i % 7) for i in (0, 1, 2, 3, 4, 5, 7)))


@dataclass
class Row:
    """A network, how it is asked for, and what is to come of it (empty: the right mask)."""

    name: str
    net: Net | bytes
    refused: str = ""
    labels: str | LabelSet | None = "cityscapes-8"
    read_as: ReadAs = field(default_factory=ReadAs)
    answers: Net | None = None


def told(range_: str = "", **more: str) -> ReadAs:
    return ReadAs(input_range=range_, **more)


def engine_of(row: Row, folder: Path) -> Engine:
    data = row.net if isinstance(row.net, bytes) else row.net.build()
    path = folder / "net.tflite"
    path.write_bytes(data)
    return Engine(path, labels=row.labels, read_as=row.read_as)


def answer(
    engine: Engine, image: npt.NDArray[np.uint8]
) -> tuple[npt.NDArray[np.uint8], Postprocess]:
    Preprocess(engine, (WIDTH, HEIGHT)).into(image, engine.input)
    engine.invoke()
    postprocess = Postprocess(engine)
    mask, plane = np.full((2, HEIGHT, WIDTH), 99, np.uint8)
    postprocess.into(mask, plane if postprocess.gives_confidence else None)
    np.testing.assert_array_equal(mask, postprocess.mask())  # with a confidence and without
    return mask, postprocess


def expected(net: Net, labels: LabelSet) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
    image, ids = picture(range(labels.first_competing, net.classes), net.classes)
    if net.one_class is not None:
        ids = (ids == net.one_class).astype(np.int64) - (labels.class_count == 1)
        return image, np.where(ids < 0, 0, labels.category_table[ids])
    return image, labels.category_table[ids]
