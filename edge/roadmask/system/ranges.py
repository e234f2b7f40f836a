"""Which numbers are accepted: one object that checks, reads and says so."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from roadmask.errors import ConfigError, RoadmaskError

if TYPE_CHECKING:
    import argparse

SHOWN = 60  # characters of a value that is refused


@dataclass(frozen=True)
class Range:
    """Numbers of one kind, ``int`` or ``float``, none of them infinite or NaN.

    As a ``type`` of argparse it reads them from text.

    Attributes:
        kind: whole numbers or any.
        least, most: the bounds, which belong to it.
        zero: what 0 stands for, where it is accepted beside them.
    """

    kind: type[int] | type[float]
    least: float
    most: float = math.inf
    zero: str = ""

    @property
    def expected(self) -> str:
        """In words: what belongs to it."""
        text = "a whole number" if self.kind is int else "a number"
        zero = f"0 ({self.zero}) or " if self.zero else ""
        if self.most == math.inf:
            return f"{zero}{text}, {self.least:g} or more"
        return f"{zero}{text} from {_short(self.least)} to {_short(self.most)}"

    def convert(self, value: Any) -> Any:
        """``value`` as a number of this kind.

        Raises:
            ValueError: it is none, or out of range.
        """
        if type(value) is not int and not (self.kind is float and type(value) is float):
            raise ValueError(value)
        if (value == 0 and self.zero) or self.least <= value <= self.most:
            number = self._number(value)
            if number < math.inf:
                return number
        raise ValueError(value)

    def check(self, value: Any, name: str, error: type[RoadmaskError] = ConfigError) -> None:
        """Refuse a value that does not belong to it.

        Raises:
            ConfigError: what it was, and what is expected; or the ``error`` given.
        """
        try:
            self.convert(value)
        except ValueError:
            raise error(f"{name} {shown(value)}: expected {self.expected}") from None

    def __call__(self, text: str) -> Any:
        """The number that ``text`` says, for argparse."""
        try:
            return self.convert(self.kind(text))
        except (ValueError, OverflowError):
            raise unusable(text, self.expected) from None

    def _number(self, value: float) -> Any:
        try:
            return self.kind(value)
        except OverflowError:
            raise ValueError(value) from None


def at_least(lowest: float) -> Range:
    """Numbers of the kind of ``lowest`` and no smaller."""
    return Range(type(lowest), lowest)


def between(lowest: float, highest: float, zero: str = "") -> Range:
    """Numbers of the kind of ``lowest`` up to ``highest``; see ``Range`` for ``zero``."""
    return Range(type(lowest), lowest, highest, zero)


def shown(value: object) -> str:
    """A value in an error's one line: as Python writes it, cut short."""
    text = repr(value)
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 1]}…"


def unusable(text: str, expected: str) -> argparse.ArgumentTypeError:
    """The error of an option's ``text``, which stands in it as it was typed where it can."""
    import argparse  # no reader of masks loads it

    plain = text if text.isprintable() and text.strip() and len(text) <= SHOWN else shown(text)
    return argparse.ArgumentTypeError(f"{plain}: expected {expected}")


def _short(number: float) -> str:
    return str(number) if isinstance(number, int) else f"{number:.10g}"


# Of a network. More never pays, and thousands make XNNPACK's pool of threads crash.
THREADS = between(1, 64)
SHARE = between(0.0, 1.0)
TEMPERATURE = between(0.01, 100.0)  # that logits are divided by
STEADINESS = between(0.1, 0.9, "off")  # weight of the frames before
COUNT = at_least(0)  # of frames: 0 is no limit
SECONDS = between(0.0, 1e6)
LATENCY_MS = between(0.0, 60_000.0)  # from exposure to arrival, as the user asserts
