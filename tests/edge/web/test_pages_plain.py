"""The pages on a phone, by keyboard, in both schemes of colours, and to a screen reader."""

from __future__ import annotations

import base64
import re
import zlib
from pathlib import Path

import pytest
from page_parts import Page

from roadmask.labels.label_set import CATEGORY_COLORS_RGB

CONTRAST = Path(__file__).with_name("contrast.js").read_text()
OURS = ("/", "/ui/live", "/ui/gallery?id=C_0000", "/ui/compare")


def drawn(page: Page, path: str) -> None:
    """The page, when it shows what it has."""
    page.open(path)
    if path in OURS[2:]:
        page.until("document.querySelector('[data-shown]')")
    elif path == "/":
        page.until("document.querySelector('#models tr')")
    else:
        page.until("document.querySelector('.opblock, #badge ~ .panel li')")


def test_the_api_page_fits_a_phone(page: Page) -> None:
    page.size(390, 844)
    drawn(page, "/docs")
    assert width(page) <= 390


def width(page: Page) -> int:
    return int(page.js("document.documentElement.scrollWidth"))


@pytest.mark.parametrize("path", OURS)
def test_what_is_to_be_read_or_operated_can_be(page: Page, path: str) -> None:
    drawn(page, path)
    for dark in (False, True):
        page.size(1280, 720, dark=dark)
        modes = ("OK", "DEGRADED", "STALE", "FAULT", "NONE") if path == "/ui/live" else ("",)
        for mode in modes:
            page.js(
                "(document.querySelector('#badge') ?? {dataset: {}}).dataset.mode = arguments[0]",
                mode,
            )
            assert page.driver.execute_script(CONTRAST) == [], (dark, mode)
    for element in page.driver.find_elements("css selector", "a, button, input, select, canvas"):
        if element.is_displayed():
            assert element.accessible_name, element.get_attribute("outerHTML")
    assert width(page.size(390, 844)) <= 390, "a phone never scrolls sideways"


def test_the_audit_finds_what_is_too_faint(page: Page) -> None:
    drawn(page, "/")
    page.js("document.querySelector('h1').style.setProperty('color', 'rgb(150, 160, 170)')")
    assert len(page.driver.execute_script(CONTRAST)) == 1


def test_void_is_in_the_legend_and_paper_shows_its_colours(page: Page) -> None:
    drawn(page, "/ui/gallery?id=C_0000")
    assert page.table("#scores")["void"] == ["not scored"]
    # Browsers print no backgrounds unless told; the PDF's own drawing commands are looked at.
    options = {"printBackground": False}
    pdf = base64.b64decode(page.driver.execute_cdp_cmd("Page.printToPDF", options)["data"])
    drawing = b"".join(_inflated(part) for part in pdf.split(b"stream\n")[1:])
    colours = {
        tuple(round(255 * float(part)) for part in found)
        for found in re.findall(rb"([\d.]+) ([\d.]+) ([\d.]+) (?:rg|scn)\b", drawing)
    }
    assert {tuple(map(int, rgb)) for rgb in CATEGORY_COLORS_RGB} <= colours


def _inflated(part: bytes) -> bytes:
    try:
        return zlib.decompressobj().decompress(part)
    except zlib.error:
        return b""
