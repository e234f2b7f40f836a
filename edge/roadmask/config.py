"""Read TOML, and turn it into a frozen dataclass whose unknown keys are errors."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from roadmask.errors import ConfigError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


def read_toml(path: str | Path) -> dict[str, Any]:
    """The file's tables.

    Raises:
        ConfigError: missing, or not TOML.
    """
    try:
        return tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"file {path} cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"file {path} is not TOML: {error}") from error
