"""The sizes of what a ring holds: refused where they cannot be, changed where they fit."""

from __future__ import annotations

from dataclasses import replace

from roadmask.errors import PublishError
from roadmask.stream.publish.frame_info import SIDE_PX
from roadmask.stream.ring import RingLayout


def check_sizes(mask_size: tuple[int, int], preview_size: tuple[int, int] | None) -> None:
    """Refuse sizes that the protocol cannot hold.

    Raises:
        PublishError: which one.
    """
    for what, size in (("mask", mask_size), ("preview", preview_size or ())):
        for side in size:
            SIDE_PX.check(side, f"{what} size {size}: side", PublishError)


def refitted(
    layout: RingLayout, mask_size: tuple[int, int], preview_size: tuple[int, int] | None
) -> RingLayout:
    """Masks and previews of other sizes in the slots of ``layout``.

    Raises:
        PublishError: they need more than a slot holds.
    """
    room = layout.slot_bytes
    wanted = replace(layout, mask_size=mask_size, preview_size=preview_size, room=room)
    if wanted.slot_bytes > room:
        width, height = mask_size
        raise PublishError(
            f"masks of {width}x{height} px do not fit in the stream's memory, which was made for "
            "smaller ones: restart the daemon"
        )
    return wanted
