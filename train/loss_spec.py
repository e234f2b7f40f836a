"""Losses as text: ``ce(smoothing=0.1)+0.5*dice`` is a sum of terms with weights and options."""

from __future__ import annotations

import difflib
import math
import re
from dataclasses import dataclass

from roadmask.errors import ConfigError

# Term → the options that it takes; ``train.losses`` has the arithmetic.
OPTIONS: dict[str, tuple[str, ...]] = {
    "ce": ("smoothing",),
    "ohem": ("threshold", "share"),
    "focal": ("gamma",),
    "dice": (),
    "jaccard": (),
    "lovasz": (),
}
# Where an option's value ends: (lowest, highest), both excluded but for zero.
_LIMITS = {"smoothing": (0, 1), "threshold": (0, 1), "share": (0, 1), "gamma": (0, math.inf)}
_TERM = re.compile(r"(?:([0-9.eE-]+)\*)?([a-z]+)(?:\(([^()]*)\))?")


@dataclass(frozen=True)
class Term:
    """A term of a sum: its weight, its name in ``OPTIONS``, its options."""

    weight: float
    name: str
    options: dict[str, float]


def parse_loss(spec: str) -> list[Term]:
    """Read ``[WEIGHT*]NAME[(OPTION=VALUE,…)]+…``.

    Raises:
        ConfigError: names what cannot be read, and what there is.
    """
    return [_parse_term(text, spec) for text in re.split(r"\+(?![^()]*\))", spec.replace(" ", ""))]


def _parse_term(text: str, spec: str) -> Term:
    match = _TERM.fullmatch(text)
    if match is None:
        raise ConfigError(
            f"loss {spec!r}: {text!r} is no term; expected a sum such as ce+0.5*dice or "
            "focal(gamma=2)+jaccard"
        )
    weight, name, listed = match.groups()
    if name not in OPTIONS:
        near = difflib.get_close_matches(name, OPTIONS, 1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise ConfigError(f"loss {spec!r}: {name!r} is unknown: give {', '.join(OPTIONS)}{hint}")
    known = OPTIONS[name]
    options = {}
    for item in filter(None, (listed or "").split(",")):
        option, _, value = item.partition("=")
        if option not in known:
            raise ConfigError(
                f"loss {spec!r}: {name} takes {', '.join(known) or 'no options'}, not {option!r}"
            )
        low, high = _LIMITS[option]
        options[option] = _number(value, spec, f"{option} of {name}")
        if not (options[option] == low == 0 or low < options[option] < high):
            raise ConfigError(f"loss {spec!r}: {option} {value}: expected {low} to {high}")
    factor = _number(weight or "1", spec, f"the weight of {name}")
    if not factor > 0:
        raise ConfigError(f"loss {spec!r}: the weight of {name} is {weight}: expected more than 0")
    return Term(factor, name, options)


def _number(text: str, spec: str, what: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ConfigError(f"loss {spec!r}: {what} is {text!r}: expected a number")
    return value
