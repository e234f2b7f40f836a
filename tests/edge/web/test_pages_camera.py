"""The live page draws picture and mask where the camera saw them, however it was cropped."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from page_parts import Page, daemon
from web_parts import server

from roadmask.arrays import U8
from roadmask.imaging.overlay import colours
from roadmask.stream.subscribe.policy import TAKE_EVERYTHING
from roadmask.stream.subscribe.subscriber import Subscriber
from roadmask.town.town import Town

SIZE = (320, 240)
NETWORK = "roadnet-480x352"  # whose preview is near the size of the camera
CROP = (80, 40, 160, 120)
USABLE = "['OK', 'DEGRADED'].includes(document.querySelector('#badge').dataset.mode)"
SEQUENCE = "Number(document.querySelector('#picture').dataset.sequence || 0)"
FORMS = {
    "camera, crop": ("--mask-size", "camera", "--crop", "80,40,160,120"),
    "camera, letterbox": ("--mask-size", "camera", "--fit", "letterbox"),
    "crop": ("--crop", "80,40,160,120"),
    "letterbox": ("--fit", "letterbox"),
    "crop, letterbox": ("--crop", "80,40,160,120", "--fit", "letterbox"),
}


def paused(page: Page, socket: Path) -> Any:
    """The mask that the page shows and goes on to show."""
    seen: dict[int, Any] = {}
    stop = threading.Event()

    def collect() -> None:
        with Subscriber(socket, **TAKE_EVERYTHING) as stream:
            while not stop.is_set():
                if (mask := stream.receive(0.2)) is not None:
                    seen[mask.sequence] = mask

    reader = threading.Thread(target=collect)
    reader.start()
    try:
        page.until(USABLE, "a usable picture")
        page.wait(lambda: page.js(SEQUENCE) in seen, "the page's own frame")
        page.element("#pause").click()
        return page.wait(lambda: seen.get(page.js(SEQUENCE)), "its mask")
    finally:
        stop.set()
        reader.join()


@pytest.mark.parametrize("name", FORMS)
def test_the_overlay_lies_where_the_camera_saw_it(chromium: Any, tmp_path: Path, name: str) -> None:
    socket = tmp_path / "masks.sock"
    town = f"width={SIZE[0]}&height={SIZE[1]}&fps=10"
    with (
        daemon(socket, town, "--model", NETWORK, *FORMS[name]),
        server("--socket", socket) as (base, _),
    ):
        page = Page(chromium, base).size(1280, 720).open("/ui/live")
        mask = paused(page, socket)
        page.slide("#opacity", 100)
        masked = page.canvas("#picture")
        page.slide("#opacity", 0)
        picture = page.canvas("#picture")
        seen = page.unmarked("#picture")
        page.open("about:blank")
    if name.startswith("camera"):
        assert seen.mean() > 0.9
        assert np.array_equal(masked[seen], colours(mask.pixels)[seen][:, ::-1]), "pixel for pixel"
    x, y, width, height = CROP if "crop" in name else (0, 0, *SIZE)
    truth = Town(7, *SIZE, 10.0).frame(mask.frame_id).image[..., ::-1]
    shown = np.zeros_like(truth)
    shown[y : y + height, x : x + width] = truth[y : y + height, x : x + width]
    assert apart(picture, shown, seen) < 6.0
    assert apart(masked, drawn(mask), seen) < 6.0


def drawn(mask: Any) -> U8:
    """The mask's colours by the header's map, one camera pixel after another."""
    columns, rows = (
        np.rint((np.arange(side) - offset) / scale).astype(int)
        for side, offset, scale in zip(SIZE, mask.offset, mask.scale, strict=True)
    )
    width, height = mask.size
    inside = (rows[:, None] >= 0) & (rows[:, None] < height) & (columns >= 0) & (columns < width)
    there = colours(mask.pixels)[rows.clip(0, height - 1)][:, columns.clip(0, width - 1)]
    return np.where(inside[..., None], there[..., ::-1], 0).astype(np.uint8)


def apart(canvas: U8, wanted: U8, seen: npt.NDArray[np.bool_]) -> float:
    """Mean difference in steps of 255, at the camera's size, of what is ``seen``."""
    small, whole = (
        cv2.resize(plane, SIZE, interpolation=cv2.INTER_AREA)
        for plane in (canvas, np.where(seen, np.uint8(255), np.uint8(0)))
    )
    return float(np.abs(small.astype(int) - wanted)[whole == 255].mean())
