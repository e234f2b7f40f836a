"""Read TOML."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

from roadmask.errors import ConfigError
from roadmask.system.bounded import read_bounded

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_BYTES = 1 << 20
# TOML forgets how a number was written: permission bits are kept as text, which cannot be mistaken.
_OCTAL = re.compile(r"^(\s*\w*_mode\s*=\s*)(0o[0-7]+)(?=\s*(#.*)?$)", re.MULTILINE)


def read_toml(path: str | Path) -> dict[str, Any]:
    """The file's tables; octal numbers of keys in ``_mode`` as text: ``"0o660"``.

    Raises:
        ConfigError: missing, or not TOML.
    """
    try:
        text = read_bounded(path, _BYTES).decode()
        tables: dict[str, Any] = tomllib.loads(_OCTAL.sub(r'\1"\2"', text))
        return tables
    except OSError as error:
        raise ConfigError(f"file {path} cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"file {path} is not TOML: {error}") from error
