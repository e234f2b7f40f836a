"""Texts that hold numbers, each form once: for its setting, and for who takes the text apart."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass

from roadmask.errors import ConfigError
from roadmask.system.ranges import shown


@dataclass(frozen=True)
class Form:
    """How a text is written.

    Attributes:
        pattern: a regular expression over the whole text; its groups are the parts.
        words: the same for people.
        fits: what the parts must be beside that, where a pattern cannot say it.
    """

    pattern: str
    words: str
    fits: Callable[..., bool] = lambda *parts: True

    def parts(self, text: str) -> tuple[str, ...]:
        """The groups of the pattern; those that are not there are empty.

        Raises:
            ValueError: not of this form.
        """
        match = re.fullmatch(self.pattern, text, re.DOTALL)
        if match is None or not self.fits(*match.groups("")):
            raise ValueError(text)
        return match.groups("")

    def take(self, text: str, name: str) -> tuple[str, ...]:
        """The same, for a text that ``name`` stands for.

        Raises:
            ConfigError: not of this form.
        """
        try:
            return self.parts(text)
        except ValueError:
            raise ConfigError(f"{name} {shown(text)}: expected {self.words}") from None


_NUMBER = r"([-+]?(?:\d+(?:\.\d+)?|\.\d+)(?:e[-+]?\d+)?)"
_MOST_PX = 16384


def _sides(*sides: str) -> bool:
    return all(1 <= int(side) <= _MOST_PX for side in sides)


SIZE = Form(r"(\d{1,5})x(\d{1,5})", "WIDTHxHEIGHT in px, such as 480x352", _sides)
CROP = Form(
    r"(\d{1,5}),(\d{1,5}),(\d{1,5}),(\d{1,5})",
    "X,Y,W,H in camera px, such as 0,160,1280,560",
    lambda x, y, width, height: _sides(width, height),
)
CORES = Form(r"\d{1,5}(?:-\d{1,5})?(?:,\d{1,5}(?:-\d{1,5})?)*", "numbers such as 2 or 0,2-3")
INPUT_RANGE = Form(
    rf"imagenet|{_NUMBER}\.\.{_NUMBER}",
    "0..1, -1..1, 0..255, imagenet or another LOW..HIGH",
    lambda low, high: not low or -math.inf < float(low) < float(high) < math.inf,
)
