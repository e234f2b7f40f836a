"""What a reader gets of the past."""

from __future__ import annotations

from dataclasses import dataclass

from roadmask.stream.modes import NoMask
from roadmask.stream.subscribe.mask import Mask


@dataclass(frozen=True)
class History:
    """The last frames of a stream, each judged as the newest is.

    Attributes:
        masks: those that may be used, the oldest first; copies.
        missing: of the other frames that are known, by sequence, why there is no mask:
            OVERWRITTEN, TOO_OLD, NOT_LIVE, REFUSED ...
    """

    masks: tuple[Mask, ...]
    missing: dict[int, NoMask]
