"""Augmentation recipes: named TOML files that become albumentations pipelines.

A recipe is a list of ``[[step]]`` tables, done from top to bottom: ``transform`` (a name of
``train.data.transforms``), ``p`` (chance that the step is done, 1 if not given) and the transform's
parameters, each a number or a range ``[from, to]``. ``transform = "one_of"`` does one of its own
``[[step.of]]`` tables. A recipe without a ``crop`` begins with the whole frame, stretched.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import albumentations as A
import numpy as np
import numpy.typing as npt

from roadmask.errors import ConfigError
from roadmask.labels.label_set import VOID
from train.data.transforms import TRANSFORMS, Pair, Parameter, Target, whole_frame
from train.recipe_files import read_recipe

DEFAULT_RECIPE = "full"
_ONE_OF = "one_of"


@dataclass(frozen=True)
class Step:
    """One step of a recipe.

    Attributes:
        transform: its name.
        p: chance that it is done.
        values: its parameters, defaults filled in.
        of: the steps of a ``one_of``.
    """

    transform: str
    p: float
    values: Mapping[str, float | Pair]
    of: tuple[Step, ...] = ()

    def build(self, target: Target) -> Any:
        """The albumentations transform."""
        if self.transform == _ONE_OF:
            return A.OneOf([step.build(target) for step in self.of], p=self.p)
        return TRANSFORMS[self.transform].build(target, self.p, self.values)

    def to_json(self) -> dict[str, Any]:
        """What a run's record holds of it."""
        record = {"transform": self.transform, "p": self.p, **self.values}
        return record | ({"of": [step.to_json() for step in self.of]} if self.of else {})


@dataclass(frozen=True)
class Recipe:
    """A named augmentation.

    Attributes:
        name: the file's stem.
        steps: what is done, in order.
    """

    name: str
    steps: tuple[Step, ...]

    def to_json(self) -> dict[str, Any]:
        """The recipe in full, as a run's record holds it."""
        return {"name": self.name, "steps": [step.to_json() for step in self.steps]}


class Augment:
    """A recipe at work; one instance per thread (it holds state).

    Args:
        size: width and height of the result in px.
        recipe: what is done.
        void: id of the mask where the frame ends.
    """

    def __init__(self, size: tuple[int, int], recipe: Recipe, void: int = VOID) -> None:
        target = Target(size, void)
        crops = any(step.transform == "crop" for step in recipe.steps)
        first = [] if crops else [whole_frame(target)]
        self._pipeline = A.Compose([*first, *(step.build(target) for step in recipe.steps)])

    def __call__(
        self, image: npt.NDArray[np.uint8], mask: npt.NDArray[np.uint8], seed: int
    ) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
        """RGB ``(H, W, 3)`` and mask ``(H, W)`` → the same, augmented; equal for equal seeds."""
        self._pipeline.set_random_seed(seed)
        result = self._pipeline(image=image, mask=mask)
        return result["image"], result["mask"]


def load_recipe(name_or_path: str | Path = DEFAULT_RECIPE) -> Recipe:
    """The recipe of that name, or the one that a TOML file holds.

    Raises:
        ConfigError: no such recipe, an unknown transform or parameter, a value out of range.
    """
    name = str(name_or_path)
    table = read_recipe(name)
    extra = [key for key in table if key != "step"]
    if extra:
        raise ConfigError(f"recipe {name}: key {extra[0]!r} is unknown; expected [[step]] tables")
    steps = _read_steps(table.get("step", []), f"recipe {name}", depth=0)
    late = [n for n, step in enumerate(steps) if step.transform == "crop" and n > 0]
    if late or any(step.transform == "crop" and step.p < 1 for step in steps):
        raise ConfigError(f"recipe {name}: crop sets the size, so it must be the first step, p = 1")
    return Recipe(Path(name).stem, steps)


def _read_steps(rows: Any, where: str, depth: int) -> tuple[Step, ...]:
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ConfigError(f"{where}: expected [[step]] tables, not a value")
    return tuple(_read_step(row, f"{where}, step {n}", depth) for n, row in enumerate(rows, 1))


def _read_step(row: dict[str, Any], where: str, depth: int) -> Step:
    name = row.get("transform")
    known = [*TRANSFORMS, _ONE_OF] if depth == 0 else [t for t in TRANSFORMS if t != "crop"]
    if name not in known:
        raise ConfigError(
            f"{where}: transform = {name!r} is unknown{_hint(str(name), known)}; "
            f"expected one of {', '.join(known)}"
        )
    where = f"{where} ({name})"
    p = _number(row.get("p", 1.0), 0.0, 1.0, f"{where}: p")
    given = {key: value for key, value in row.items() if key not in ("transform", "p")}
    if name == _ONE_OF:
        of = _read_steps(given.pop("of", []), where, depth + 1)
        _refuse_unknown(given, ["of"], where)
        if not of:
            raise ConfigError(f"{where}: expected [[step.of]] tables to choose from")
        return Step(name, p, {}, of)
    parameters = TRANSFORMS[name].parameters
    _refuse_unknown(given, list(parameters), where)
    values = {
        key: _value(given[key], parameter, f"{where}: {key}") if key in given else parameter.default
        for key, parameter in parameters.items()
    }
    return Step(name, p, values)


def _refuse_unknown(given: dict[str, Any], known: list[str], where: str) -> None:
    for key in given:
        if key not in known:
            takes = f"it takes {', '.join(['p', *known])}"
            raise ConfigError(f"{where}: key {key!r} is unknown{_hint(key, known)}; {takes}")


def _value(value: Any, parameter: Parameter, where: str) -> float | Pair:
    low, high = parameter.low, parameter.high
    if isinstance(parameter.default, float):
        return _number(value, low, high, where)
    if not isinstance(value, list) or len(value) != 2:
        raise ConfigError(f"{where} = {value!r}: expected a range [from, to]")
    first, last = (_number(item, low, high, where) for item in value)
    if first > last:
        raise ConfigError(f"{where} = {value!r}: expected the smaller number first")
    return first, last


def _number(value: Any, low: float, high: float, where: str) -> float:
    if type(value) not in (int, float) or not low <= value <= high:
        raise ConfigError(f"{where} = {value!r}: expected a number from {low:g} to {high:g}")
    return float(value)


def _hint(given: str, known: list[str]) -> str:
    near = difflib.get_close_matches(given, known, 1)
    return f"; did you mean {near[0]}?" if near else ""
