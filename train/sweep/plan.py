"""The TOML file of a sweep, read and checked before anything runs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from roadmask.errors import ConfigError
from roadmask.system.toml import read_toml

SAMPLERS = ("tpe", "random", "grid")
_OWN = {  # of [sweep], with what it is where it is not told
    "sampler": "tpe",
    "trials": 20,
    "cpu_hours": 0.0,
    "seeds": [1],
    "seed": 1,
    "prune": True,
    "prune_after": 1,
    "storage": "",
    "heartbeat_s": 60,
}
_GIVEN = {"out", "seed", "json"}  # by the sweep itself

Choice = tuple[Any, ...]


@dataclass(frozen=True)
class Range:
    """Numbers from low to high.

    Attributes:
        low, high: both may come.
        log: as likely from 1 to 10 as from 10 to 100.
        whole: whole numbers.
    """

    low: float
    high: float
    log: bool
    whole: bool


@dataclass(frozen=True)
class SweepPlan:
    """What is searched.

    Attributes:
        options: of ``python -m train``, that every trial has.
        search: option → its values, or their range.
        sampler: of ``SAMPLERS``; ``seed`` is its own.
        trials: that are finished or given up, by all processes together.
        cpu_hours: of all trials, after which none begins; 0 is no limit.
        seeds: each trial is trained with each, and judged by the mean.
        prune: give up what is worse than the median of the others at the same epoch, after
            ``prune_after`` finished trials.
        storage: address of Optuna's data base; empty: ``study.db`` in the sweep's folder.
        heartbeat_s: how often a process says that it lives; three times silent, its trial is
            taken over.
    """

    options: dict[str, Any]
    search: dict[str, Choice | Range]
    sampler: str
    trials: int
    cpu_hours: float
    seeds: tuple[int, ...]
    seed: int
    prune: bool
    prune_after: int
    storage: str
    heartbeat_s: int


def read_plan(path: Path) -> SweepPlan:
    """A sweep's file.

    Raises:
        ConfigError: says which key cannot be used.
    """
    tables = read_toml(path)
    if odd := set(tables) - {"sweep", "options", "search"}:
        raise ConfigError(f"{path}: [{min(odd)}]: expected [sweep], [options] and [search]")
    own = _OWN | tables.get("sweep", {})
    if odd := set(own) - set(_OWN):
        raise ConfigError(f"{path}: sweep.{min(odd)}: expected one of {', '.join(_OWN)}")
    for key, value in own.items():
        if not isinstance(value, type(_OWN[key])) and not (
            key == "cpu_hours" and value == int(value)
        ):
            kind = type(_OWN[key]).__name__
            raise ConfigError(f"{path}: sweep.{key} = {value!r}: expected a {kind}")
    if own["sampler"] not in SAMPLERS:
        raise ConfigError(f"{path}: sweep.sampler: expected one of {', '.join(SAMPLERS)}")
    for key in ("trials", "heartbeat_s", "prune_after"):
        if own[key] < 1:
            raise ConfigError(f"{path}: sweep.{key} = {own[key]}: expected 1 or more")
    options, search = tables.get("options", {}), tables.get("search", {})
    for name in (*options, *search):
        if name.replace("_", "-") in _GIVEN or (name in options and name in search):
            raise ConfigError(f"{path}: {name} is given by the sweep, or twice: leave it out")
    if not search:
        raise ConfigError(f"{path}: [search] is empty: expected an option with values or a range")
    found = {name: _values(path, name, value, own["sampler"]) for name, value in search.items()}
    seeds = tuple(own.pop("seeds"))
    if not seeds or len(set(seeds)) < len(seeds) or not all(type(s) is int for s in seeds):
        raise ConfigError(f"{path}: sweep.seeds: expected different whole numbers")
    return SweepPlan(options, found, seeds=seeds, **own)


def _values(path: Path, name: str, value: Any, sampler: str) -> Choice | Range:
    if isinstance(value, list) and value and all(type(v) in (int, float, str) for v in value):
        return tuple(value)
    if isinstance(value, dict) and {"low", "high"} <= set(value) <= {"low", "high", "log"}:
        low, high = value["low"], value["high"]
        numbers = all(type(end) in (int, float) for end in (low, high))
        log = bool(value.get("log", False))
        if sampler == "grid":
            raise ConfigError(f"{path}: search.{name}: a grid takes values, not a range")
        if numbers and low < high and (low > 0 or not log):
            return Range(low, high, log, type(low) is int and type(high) is int)
    raise ConfigError(
        f"{path}: search.{name} = {value!r}: expected values [a, b] or a range "
        "{ low = 1e-4, high = 1e-2, log = true }"
    )


def arguments(options: dict[str, Any]) -> list[str]:
    """``{"epochs": 5, "mix": ["town=0.2"]}`` as the command line takes it."""
    words: list[str] = []
    for name, value in options.items():
        option = f"--{name.replace('_', '-')}"
        for one in value if isinstance(value, list) else [value]:
            words += [option, str(one)]
    return words
