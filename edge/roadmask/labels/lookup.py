"""Read a user's own label set from TOML.

::

    name = "drivable"

    [[class]]
    id = 0                          # value in the masks and channel of the network, 0 to 254
    name = "way"
    category = "flat"               # its cityscapes-8 category
    sources = ["road", "parking"]   # the data set's classes that become it in training; own name

    [[class]]
    id = 1
    name = "walker"
    category = "human"
    sources = ["person", "Pedestrian"]
    instances = true                # single objects are told apart
    ignored = false                 # true: left out of every loss and score
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from roadmask.errors import ConfigError
from roadmask.labels.catalogue import LABEL_SETS
from roadmask.labels.label_set import CATEGORY_NAMES, LabelClass, LabelSet
from roadmask.system.ranges import between
from roadmask.system.settings import from_table, setting
from roadmask.system.toml import read_toml


@dataclass(frozen=True)
class _Row:
    id: int = setting(-1, "in the masks", within=between(0, 255))
    name: str = setting("", "of the class")
    category: str = setting("", "of the 8", choices=CATEGORY_NAMES)
    ignored: bool = setting(False, "left out of every score")
    instances: bool = setting(False, "its things are counted one by one")
    sources: tuple[str, ...] = setting((), "classes of a data set that it holds")


def read_label_set(path: Path) -> LabelSet:
    """The label set that the file defines.

    Raises:
        ConfigError: missing, not TOML, or not a label set.
    """
    table = read_toml(path)
    name, rows = table.get("name"), table.get("class")
    if not isinstance(name, str) or not isinstance(rows, list) or not rows:
        raise ConfigError(f'label file {path}: expected name = "…" and [[class]] tables')
    if name in LABEL_SETS:
        raise ConfigError(f"label file {path}: name {name!r} is taken: give the set another")
    unknown = [key for key in table if key not in ("name", "class")]
    if unknown:
        raise ConfigError(f"label file {path}: key {unknown[0]!r} is unknown; name and [[class]]")
    classes = tuple(_read_class(row, f"label file {path}, class {n}") for n, row in enumerate(rows))
    ids = [c.class_id for c in classes]
    if len(set(ids)) != len(ids):
        raise ConfigError(f"label file {path}: class ids must be distinct")
    if all(c.ignored for c in classes):
        raise ConfigError(f"label file {path}: every class is ignored")
    return LabelSet(name, classes)


def _read_class(table: Any, where: str) -> LabelClass:
    row = from_table(_Row, table, where)
    for name in ("id", "name", "category"):
        if getattr(row, name) in (-1, ""):
            raise ConfigError(f"{where}: {name} is missing; expected it in each [[class]]")
    return LabelClass(
        row.id,
        row.name,
        CATEGORY_NAMES.index(row.category),
        row.ignored,
        row.instances,
        row.sources,
    )


def label_set(name_or_path: str | Path) -> LabelSet:
    """The label set of that name, or the one that a TOML file defines.

    Such a file is described in :mod:`roadmask.labels.lookup`.

    Raises:
        ConfigError: no such set, or a file that does not define one.
    """
    name = str(name_or_path)
    if name in LABEL_SETS:
        return LABEL_SETS[name]
    path = Path(name)
    if path.suffix == ".toml":
        return read_label_set(path)
    near = difflib.get_close_matches(name, LABEL_SETS, 1)
    hint = f"; did you mean {near[0]}?" if near else ""
    raise ConfigError(
        f"label set {name!r} is unknown: give one of {', '.join(LABEL_SETS)} "
        f"or the path of a .toml file{hint}"
    )
