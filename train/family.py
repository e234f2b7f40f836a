"""The shipped sizes ``s``, ``m`` and ``l`` by their letters: network, input and float weights."""

from __future__ import annotations

from pathlib import Path

from roadmask.errors import ConfigError
from roadmask.inference.model_file import FAMILY
from roadmask.system.command_line import parse_size

_FOLDER = Path(__file__).parent / "weights"


def family_network(letter: str) -> tuple[str, tuple[int, int]]:
    """Name in the zoo, and width and height of the input in px."""
    name, _, size = FAMILY[letter].partition("-")
    return name, parse_size(size)


def family_weights(letter: str) -> Path:
    """The float weights that a shipped file was converted from; one file serves every size.

    Raises:
        ConfigError: they are not there: only a clone of the project has them.
    """
    path = _FOLDER / f"{family_network(letter)[0]}.keras"
    if not path.is_file():
        raise ConfigError(f"--weights {letter}: {path} is missing; give a .keras file")
    # A run's record names it, and says the same on every machine.
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
