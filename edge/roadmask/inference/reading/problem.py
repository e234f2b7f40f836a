"""Why a network is not run."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Problem:
    """A sentence without the file's name, and the option that would settle it, or nothing."""

    text: str
    option: str = ""


class UnsettledError(Exception):
    """Carries a problem to where they are gathered; it never leaves ``read_contract``."""

    def __init__(self, text: str, option: str = "") -> None:
        super().__init__(text)
        self.problem = Problem(text, option)
