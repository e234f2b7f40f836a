"""Label sets as data: what a class id means, its colour, and the category it belongs to.

Ids, names and colours of the Cityscapes sets are those of its published label table
(Cordts et al., "The Cityscapes Dataset for Semantic Urban Scene Understanding", 2016).
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from roadmask.errors import ConfigError

VOID = 0
CATEGORY_NAMES = ("void", "flat", "construction", "object", "nature", "sky", "human", "vehicle")
CATEGORY_COUNT = len(CATEGORY_NAMES)
CATEGORY_COLORS_RGB: npt.NDArray[np.uint8] = np.array(
    [
        (0, 0, 0),
        (128, 64, 128),
        (70, 70, 70),
        (153, 153, 153),
        (107, 142, 35),
        (70, 130, 180),
        (220, 20, 60),
        (0, 0, 142),
    ],
    np.uint8,
)


@dataclass(frozen=True)
class LabelClass:
    """One class of a label set.

    Attributes:
        class_id: value of the class in an index image, 0–255.
        name: its name in the set.
        category: its cityscapes-8 category, 0–7.
        ignored: left out of every loss and score, though it has a category (Cityscapes' parking).
        instances: single objects of it are told apart (iIoU).
    """

    class_id: int
    name: str
    category: int
    ignored: bool = False
    instances: bool = False


@dataclass(frozen=True)
class LabelSet:
    """A named set of classes with its map to the 8 categories."""

    name: str
    classes: tuple[LabelClass, ...]

    @cached_property
    def class_count(self) -> int:
        """Number of channels that a network for this set has."""
        return max(c.class_id for c in self.classes) + 1

    @cached_property
    def category_table(self) -> npt.NDArray[np.uint8]:
        """``(256,) uint8``: class id → category, void where the set has no such id."""
        table: npt.NDArray[np.uint8] = np.zeros(256, np.uint8)
        for c in self.classes:
            table[c.class_id] = c.category
        return table

    @cached_property
    def truth_table(self) -> npt.NDArray[np.uint8]:
        """``(256,) uint8``: as ``category_table``, with the ignored classes void as well."""
        table: npt.NDArray[np.uint8] = self.category_table.copy()
        for c in self.classes:
            if c.ignored:
                table[c.class_id] = VOID
        return table

    @cached_property
    def known_ids(self) -> npt.NDArray[np.bool_]:
        """``(256,) bool``: which ids the set defines."""
        known = np.zeros(256, np.bool_)
        known[[c.class_id for c in self.classes]] = True
        return known

    @cached_property
    def first_competing(self) -> int:
        """First class id that may win an argmax: the categories' void is never predicted."""
        return 1 if self.name == CITYSCAPES_8.name else 0


def _classes(*rows: tuple[Any, ...]) -> tuple[LabelClass, ...]:
    return tuple(LabelClass(*row) for row in rows)


CITYSCAPES_8 = LabelSet(
    "cityscapes-8", tuple(LabelClass(i, name, i) for i, name in enumerate(CATEGORY_NAMES))
)

_CITYSCAPES_EVALUATED: tuple[tuple[int, str, int, bool], ...] = (
    # label id, name, category, has instances; the row number is the train id
    (7, "road", 1, False),
    (8, "sidewalk", 1, False),
    (11, "building", 2, False),
    (12, "wall", 2, False),
    (13, "fence", 2, False),
    (17, "pole", 3, False),
    (19, "traffic light", 3, False),
    (20, "traffic sign", 3, False),
    (21, "vegetation", 4, False),
    (22, "terrain", 4, False),
    (23, "sky", 5, False),
    (24, "person", 6, True),
    (25, "rider", 6, True),
    (26, "car", 7, True),
    (27, "truck", 7, True),
    (28, "bus", 7, True),
    (31, "train", 7, True),
    (32, "motorcycle", 7, True),
    (33, "bicycle", 7, True),
)
CITYSCAPES_19 = LabelSet(
    "cityscapes-19",
    tuple(
        LabelClass(train_id, name, category, instances=instances)
        for train_id, (_, name, category, instances) in enumerate(_CITYSCAPES_EVALUATED)
    ),
)
CITYSCAPES_34 = LabelSet(
    "cityscapes-34",
    tuple(
        sorted(
            _classes(
                (0, "unlabeled", 0, True),
                (1, "ego vehicle", 0, True),
                (2, "rectification border", 0, True),
                (3, "out of roi", 0, True),
                (4, "static", 0, True),
                (5, "dynamic", 0, True),
                (6, "ground", 0, True),
                (9, "parking", 1, True),
                (10, "rail track", 1, True),
                (14, "guard rail", 2, True),
                (15, "bridge", 2, True),
                (16, "tunnel", 2, True),
                (18, "polegroup", 3, True),
                (29, "caravan", 7, True, True),
                (30, "trailer", 7, True, True),
                # The table's -1, as the one byte of a labelIds file holds it.
                (255, "license plate", 7, True),
            )
            + tuple(
                LabelClass(label_id, name, category, instances=instances)
                for label_id, name, category, instances in _CITYSCAPES_EVALUATED
            ),
            key=lambda c: c.class_id,
        )
    ),
)
CAMVID_11 = LabelSet(
    "camvid-11",
    _classes(
        (0, "Sky", 5),
        (1, "Building", 2),
        (2, "Pole", 3),
        (3, "Road", 1),
        (4, "Pavement", 1),
        (5, "Tree", 4),
        (6, "SignSymbol", 3),
        (7, "Fence", 2),
        (8, "Car", 7),
        (9, "Pedestrian", 6),
        (10, "Bicyclist", 6),
        (11, "Unlabelled", 0, True),
    ),
)
LABEL_SETS = {s.name: s for s in (CITYSCAPES_8, CITYSCAPES_19, CITYSCAPES_34, CAMVID_11)}


def label_set(name_or_path: str | Path) -> LabelSet:
    """The label set of that name, or the one that a TOML file defines.

    The file holds ``name = "…"`` and one ``[[class]]`` table per class with ``id``, ``name`` and
    ``category`` (a category's name), optionally ``ignored`` and ``instances``.

    Raises:
        ConfigError: no such set, or a file that does not define one.
    """
    name = str(name_or_path)
    if name in LABEL_SETS:
        return LABEL_SETS[name]
    path = Path(name)
    if path.suffix == ".toml":
        return _read_label_set(path)
    near = difflib.get_close_matches(name, LABEL_SETS, 1)
    hint = f"; did you mean {near[0]}?" if near else ""
    raise ConfigError(
        f"label set {name!r} is unknown: give one of {', '.join(LABEL_SETS)} "
        f"or the path of a .toml file{hint}"
    )


def _read_label_set(path: Path) -> LabelSet:
    from roadmask.config import read_toml

    table = read_toml(path)
    try:
        classes = tuple(
            LabelClass(
                int(row["id"]),
                str(row["name"]),
                CATEGORY_NAMES.index(row["category"]),
                bool(row.get("ignored", False)),
                bool(row.get("instances", False)),
            )
            for row in table["class"]
        )
        name = str(table["name"])
    except (KeyError, TypeError, ValueError) as error:
        raise ConfigError(
            f'label file {path}: expected name = "…" and [[class]] tables with id, name and '
            f"category (one of {', '.join(CATEGORY_NAMES)}); {type(error).__name__}: {error}"
        ) from error
    ids = [c.class_id for c in classes]
    if not classes or len(set(ids)) != len(ids) or not all(0 <= i <= 255 for i in ids):
        raise ConfigError(f"label file {path}: class ids must be distinct and within 0 to 255")
    return LabelSet(name, classes)
