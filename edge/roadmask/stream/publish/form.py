"""The sizes of what a ring holds: refused where they cannot be, changed where they fit."""

from __future__ import annotations

from dataclasses import replace

from roadmask.errors import PublishError
from roadmask.stream.checks import MAX_SIDE_PX, MAX_SLOTS
from roadmask.stream.publish.frame_info import RingForm
from roadmask.stream.ring import RingLayout


def check_form(mask_size: tuple[int, int], form: RingForm) -> None:
    """Refuse sizes and numbers that the protocol cannot hold.

    Raises:
        PublishError: which one.
    """
    for name, size in (("mask", mask_size), ("preview", form.preview_size or (1, 1))):
        if not all(1 <= side <= MAX_SIDE_PX for side in size):
            raise PublishError(f"{name} size {size}: expected 1 to {MAX_SIDE_PX} px a side")
    if not 2 <= form.slots <= MAX_SLOTS:
        raise PublishError(f"{form.slots} slots: expected 2 to {MAX_SLOTS}")


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
