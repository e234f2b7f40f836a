"""What a subscriber refuses beside what is too old: checked once; the verdict is in C++."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property, reduce
from operator import or_
from typing import TypedDict

from roadmask import _native
from roadmask.errors import ConfigError
from roadmask.stream.modes import REFUSED_BY_DEFAULT, Reason


class PolicyOptions(TypedDict, total=False):
    """The fields of ``Policy`` as every subscriber takes them by keyword."""

    allow_not_live: bool
    accept_unknown_age: bool
    refuse: Reason | Iterable[Reason]
    publisher_user: str | int | None
    model: str | bytes | None


# For what shows, relays or records a stream: nothing is refused but a foreign publisher, and
# everything is marked with what was said about it. Never for what drives.
TAKE_EVERYTHING: PolicyOptions = {
    "allow_not_live": True,
    "accept_unknown_age": True,
    "refuse": Reason.NONE,
}


@dataclass(frozen=True)
class Policy:
    """What a subscriber takes; for everything else there is no mask, but a reason.

    Args:
        allow_not_live: hand out replayed, synthetic and file frames too. Never set it where a
            vehicle moves.
        accept_unknown_age: hand out masks whose age nobody knows; their limit then counts from
            the picture's arrival.
        refuse: hand out no mask with one of these reasons. FROZEN among them counts as STALE.
        publisher_user: name or id of the user that must publish; None: this process's own, root,
            or the owner of the socket's folder.
        model: SHA-256 of the model file that must have made the mask, 32 bytes or 64 hexadecimal
            digits; None: any.

    Raises:
        ConfigError: a reason that is none, a digest that is none.
    """

    allow_not_live: bool = False
    accept_unknown_age: bool = False
    refuse: Reason | Iterable[Reason] = REFUSED_BY_DEFAULT
    publisher_user: str | int | None = None
    model: str | bytes | None = None

    def __post_init__(self) -> None:
        _ = self.native  # raises for what cannot be used

    @cached_property
    def refused(self) -> Reason:
        """``refuse`` as one set of bits."""
        return _reasons(self.refuse)

    @cached_property
    def native(self) -> _native.Policy:
        """The same for the verdict."""
        return _native.Policy(
            self.allow_not_live, self.accept_unknown_age, int(self.refused), _digest(self.model)
        )

    @property
    def user(self) -> str:
        """``publisher_user`` as the native check takes it."""
        return "" if self.publisher_user is None else str(self.publisher_user)


def _reasons(refuse: Reason | Iterable[Reason]) -> Reason:
    listed = [refuse] if isinstance(refuse, Reason) else list(refuse)
    for reason in listed:
        if not isinstance(reason, Reason):
            raise ConfigError(f"refuse {reason!r}: expected Reason, e.g. {{Reason.FROZEN}}")
    return reduce(or_, listed, Reason.NONE)


def _digest(model: str | bytes | None) -> bytes:
    if model is None:
        return b""
    try:
        digest = bytes.fromhex(model) if isinstance(model, str) else model
    except ValueError:
        digest = b""
    if len(digest) != 32:
        raise ConfigError(
            f"model {model!r}: expected the SHA-256 of the model file, 64 hexadecimal digits"
        )
    return digest
