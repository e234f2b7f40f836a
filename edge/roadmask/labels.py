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
_NO_CLASS = 255
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
        sources: names of the classes of other sets that become this one in training; its own name
            if empty.
        mean_instance_px: mean size of its objects in Cityscapes, which iIoU weighs by.
    """

    class_id: int
    name: str
    category: int
    ignored: bool = False
    instances: bool = False
    sources: tuple[str, ...] = ()
    mean_instance_px: float = 0.0


@dataclass(frozen=True)
class LabelSet:
    """A named set of classes with its map to the 8 categories."""

    name: str
    classes: tuple[LabelClass, ...]

    @cached_property
    def class_count(self) -> int:
        """Number of channels that a network for this set has."""
        return max((c.class_id for c in self.classes if c.class_id != _NO_CLASS), default=0) + 1

    @cached_property
    def void_id(self) -> int:
        """What a mask of this set holds where nothing is scored."""
        return VOID if self.name == CITYSCAPES_8.name else _NO_CLASS

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

    def table_from(self, source: LabelSet) -> npt.NDArray[np.uint8]:
        """``(256,) uint8``: truth id of another set → id of this one, else ``void_id``.

        The categories take whatever has a category and is not ignored; any other set takes the
        classes that its own name as their ``sources``, or that bear the same name.

        Raises:
            ConfigError: the sets have no class in common.
        """
        if self.name == CITYSCAPES_8.name:
            return source.truth_table
        table: npt.NDArray[np.uint8] = np.full(256, self.void_id, np.uint8)
        wanted = {
            _plain(name): c.class_id
            for c in self.classes
            if not c.ignored
            for name in (c.sources or (c.name,))
        }
        for c in source.classes:
            # A class that is ignored by default counts if it is asked for by name.
            own = wanted.get(_plain(c.name))
            if own is not None:
                table[c.class_id] = own
        if (table == self.void_id).all():
            names = ", ".join(c.name for c in source.classes)
            raise ConfigError(
                f"label set {self.name} has no class of {source.name}: name them in sources; "
                f"{source.name} has {names}"
            )
        return table

    @cached_property
    def scored(self) -> tuple[LabelClass, ...]:
        """The classes that losses and scores count: neither void nor ignored."""
        return tuple(c for c in self.classes if not c.ignored and c.class_id != self.void_id)

    @cached_property
    def first_competing(self) -> int:
        """First class id that may win an argmax: the categories' void is never predicted."""
        return 1 if self.name == CITYSCAPES_8.name else 0


def _plain(name: str) -> str:
    return name.casefold().replace("_", " ").strip()


def _classes(*rows: tuple[Any, ...]) -> tuple[LabelClass, ...]:
    return tuple(LabelClass(*row) for row in rows)


CITYSCAPES_8 = LabelSet(
    "cityscapes-8",
    tuple(
        LabelClass(i, name, i, instances=name in ("human", "vehicle"))
        for i, name in enumerate(CATEGORY_NAMES)
    ),
)

# label id, name, category, mean size of an object in px; the row number is the train id. The sizes
# are those of the official evaluation (evalPixelLevelSemanticLabeling.py), rounded as there.
_CITYSCAPES_EVALUATED: tuple[tuple[int, str, int, float], ...] = (
    (7, "road", 1, 0),
    (8, "sidewalk", 1, 0),
    (11, "building", 2, 0),
    (12, "wall", 2, 0),
    (13, "fence", 2, 0),
    (17, "pole", 3, 0),
    (19, "traffic light", 3, 0),
    (20, "traffic sign", 3, 0),
    (21, "vegetation", 4, 0),
    (22, "terrain", 4, 0),
    (23, "sky", 5, 0),
    (24, "person", 6, 3462.4756337644),
    (25, "rider", 6, 3930.4788056518),
    (26, "car", 7, 12794.0202738185),
    (27, "truck", 7, 27855.1264367816),
    (28, "bus", 7, 35732.1511111111),
    (31, "train", 7, 67583.7075812274),
    (32, "motorcycle", 7, 6298.7200839748),
    (33, "bicycle", 7, 4672.3249222261),
)
# CamVid's names of what Cityscapes calls otherwise.
_CAMVID_NAMES = {
    "sidewalk": "Pavement",
    "traffic sign": "SignSymbol",
    "vegetation": "Tree",
    "person": "Pedestrian",
    "rider": "Bicyclist",
}
CITYSCAPES_19 = LabelSet(
    "cityscapes-19",
    tuple(
        LabelClass(
            train_id,
            name,
            category,
            instances=size > 0,
            sources=(name, _CAMVID_NAMES[name]) if name in _CAMVID_NAMES else (),
            mean_instance_px=size,
        )
        for train_id, (_, name, category, size) in enumerate(_CITYSCAPES_EVALUATED)
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
                (29, "caravan", 7, True, True, (), 36771.8241758242),
                (30, "trailer", 7, True, True, (), 16926.9763313609),
                # The table's -1, as the one byte of a labelIds file holds it.
                (255, "license plate", 7, True),
            )
            + tuple(
                LabelClass(label_id, name, category, instances=size > 0, mean_instance_px=size)
                for label_id, name, category, size in _CITYSCAPES_EVALUATED
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

    Such a file is described in :mod:`roadmask.labelfile`.

    Raises:
        ConfigError: no such set, or a file that does not define one.
    """
    name = str(name_or_path)
    if name in LABEL_SETS:
        return LABEL_SETS[name]
    path = Path(name)
    if path.suffix == ".toml":
        from roadmask.labelfile import read_label_set

        return read_label_set(path)
    near = difflib.get_close_matches(name, LABEL_SETS, 1)
    hint = f"; did you mean {near[0]}?" if near else ""
    raise ConfigError(
        f"label set {name!r} is unknown: give one of {', '.join(LABEL_SETS)} "
        f"or the path of a .toml file{hint}"
    )
