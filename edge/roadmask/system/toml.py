"""Read TOML, and turn a table of it into a frozen dataclass whose unknown keys are errors."""

from __future__ import annotations

import dataclasses
import difflib
import sys
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

from roadmask.errors import ConfigError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

Config = TypeVar("Config")


def read_toml(path: str | Path) -> dict[str, Any]:
    """The file's tables.

    Raises:
        ConfigError: missing, or not TOML.
    """
    try:
        tables: dict[str, Any] = tomllib.loads(Path(path).read_text(encoding="utf-8"))
        return tables
    except OSError as error:
        raise ConfigError(f"file {path} cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"file {path} is not TOML: {error}") from error


def from_table(kind: type[Config], table: dict[str, Any], where: str) -> Config:
    """An instance of the dataclass ``kind`` with the table's values over its defaults.

    Raises:
        ConfigError: an unknown key, or a value of another type; ``where`` names the table.
    """
    hints = get_type_hints(kind)
    names = [f.name for f in dataclasses.fields(kind)]  # type: ignore[arg-type]
    values = {}
    for key, value in table.items():
        if key not in names:
            near = difflib.get_close_matches(key, names, 1)
            hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(names)}"
            raise ConfigError(f"{where}: key {key!r} is unknown; {hint}")
        wanted = hints[key]
        if wanted in (bool, int, str):
            fits = type(value) is wanted
        elif wanted is float:
            fits = type(value) in (int, float)
        else:  # the only other kind of setting is a list of strings
            fits = isinstance(value, list) and all(isinstance(item, str) for item in value)
            value = tuple(value) if fits else value
        if not fits:
            name = wanted.__name__ if wanted in (bool, int, str, float) else "list of str"
            raise ConfigError(f"{where}: {key} = {value!r}; expected {name}")
        values[key] = value
    return kind(**values)
