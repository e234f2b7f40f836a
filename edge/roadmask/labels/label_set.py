"""What a label set is, and the eight categories."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property

import numpy as np
import numpy.typing as npt

from roadmask.errors import ConfigError

VOID = 0


_NO_CLASS = 255

UNKNOWN = 255  # category of an id that a set does not have, in ``channel_table``


CATEGORY_NAMES = ("void", "flat", "construction", "object", "nature", "sky", "human", "vehicle")


class Category(IntEnum):
    """What a pixel of a published mask says."""

    VOID, FLAT, CONSTRUCTION, OBJECT, NATURE, SKY, HUMAN, VEHICLE = range(8)


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
    def channel_counts(self) -> frozenset[int]:
        """Numbers of channels that fit: all classes, or all but the ignored ones at the end."""
        scored = [c.class_id for c in self.scored]
        return frozenset({self.class_count, max(scored, default=0) + 1})

    @cached_property
    def void_id(self) -> int:
        """What a mask of this set holds where nothing is scored."""
        return VOID if self.name == "cityscapes-8" else _NO_CLASS

    @cached_property
    def category_table(self) -> npt.NDArray[np.uint8]:
        """``(256,) uint8``: class id → category, void where the set has no such id."""
        table: npt.NDArray[np.uint8] = np.zeros(256, np.uint8)
        for c in self.classes:
            table[c.class_id] = c.category
        return table

    @cached_property
    def channel_table(self) -> npt.NDArray[np.uint8]:
        """``(256,) uint8``: what a network gives → category, ``UNKNOWN`` where there is no such.

        The id 255 is no network's.
        """
        table = np.where(self.known_ids, self.category_table, np.uint8(UNKNOWN))
        table[_NO_CLASS] = UNKNOWN
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
    def truth_ids(self) -> npt.NDArray[np.bool_]:
        """``(256,) bool``: which ids a mask of truth may hold: ``known_ids``, and ``void_id``
        where none of the classes is void (train ids have 255 for that).
        """
        known: npt.NDArray[np.bool_] = self.known_ids.copy()
        known[self.void_id] |= all(c.category != VOID for c in self.classes)
        return known

    def table_from(self, source: LabelSet) -> npt.NDArray[np.uint8]:
        """``(256,) uint8``: truth id of another set → id of this one, else ``void_id``.

        The categories take whatever has a category and is not ignored; any other set takes the
        classes that its own name as their ``sources``, or that bear the same name.

        Raises:
            ConfigError: the sets have no class in common.
        """
        if self.name == "cityscapes-8":
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
        return 1 if self.name == "cityscapes-8" else 0


def _plain(name: str) -> str:
    return name.casefold().replace("_", " ").strip()
