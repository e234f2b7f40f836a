"""Where recipes lie, for checks that load no augmentation."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Any

from roadmask.errors import ConfigError
from roadmask.system.toml import read_toml

RECIPE_FOLDER = Path(__file__).parent / "recipes"


def recipe_names() -> list[str]:
    """Recipes that come with the code."""
    return sorted(path.stem for path in RECIPE_FOLDER.glob("*.toml"))


def read_recipe(name: str) -> dict[str, Any]:
    """The tables of a recipe, by its name or the path of a ``.toml`` file.

    Raises:
        ConfigError: no such recipe, or no TOML.
    """
    if name.endswith(".toml"):
        return read_toml(name)
    if name not in recipe_names():
        near = difflib.get_close_matches(name, recipe_names(), 1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise ConfigError(
            f"recipe {name!r} is unknown: give one of {', '.join(recipe_names())} "
            f"or the path of a .toml file{hint}"
        )
    return read_toml(str(RECIPE_FOLDER / f"{name}.toml"))


def check_recipe(name: str) -> None:
    """Refuse a recipe that is not there.

    Raises:
        ConfigError: as ``read_recipe``.
    """
    read_recipe(name)
