"""The timeline in a real Chromium: scrub, what goes wrong next, play, a range, a note."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

pytest.importorskip("mcap")

from drive_parts import long_drive
from page_parts import ENTER, Page, colors_of
from record_parts import frames_of, make_recording, read
from web_parts import server

from roadmask.stream.modes import Mode, Reason


@pytest.fixture
def page(chromium: Any, tmp_path: Path) -> Iterator[Page]:
    short = make_recording(tmp_path)
    drives = tmp_path / "drives"
    drives.mkdir()
    trouble = {(200.0, 201.0): (Mode.DEGRADED, Reason.THERMAL)}
    long_drive(short, drives / "drive.mcap", 300, 10, trouble)
    with server("--drives", drives, "--socket", tmp_path / "s") as (base, _):
        page = Page(chromium, base).size(1280, 720)
        yield page
        page.open("about:blank")


def shown(page: Page) -> int:
    return int(page.js("Number(document.querySelector('#picture').dataset.sequence ?? 0)"))


def test_a_drive_is_looked_through(page: Page, tmp_path: Path) -> None:
    page.open("/ui/drive")
    page.wait(lambda: shown(page) == 1, "the first frame")
    page.until("document.querySelector('#strip').dataset.known == '1'", "the whole ribbon")
    page.slide("#at", 100)
    page.wait(lambda: shown(page) == 1001, "the frame at 100 s")
    assert page.text("#mode") == "OK"
    record = next(r for r in read(tmp_path / "drives" / "drive.mcap") if r.mask is not None)
    assert record.mask is not None
    page.slide("#opacity", 100)
    drawn, true = (
        {tuple(map(int, rgb)) for rgb in np.unique(pixels.reshape(-1, 3), axis=0)}
        for pixels in (page.canvas("#picture")[page.unmarked("#picture")], colors_of(record.mask))
    )
    assert true <= drawn <= true | {(0, 0, 0)}, "its own colours, black where it saw nothing"
    page.element("#forth").click()
    page.wait(lambda: shown(page) == 1002, "the next frame")
    page.element("#next").click()
    page.wait(lambda: shown(page) == 2001, "the next DEGRADED")
    assert page.text("#mode") == "DEGRADED" and "THERMAL" in page.text("#reasons")
    # Red and green where they belong: the ribbon at 200 of 300 s, and at 100.
    strip = page.canvas("#strip")
    for at_s, colour in ((200.5, (242, 183, 5)), (100.0, (20, 112, 58))):
        column = strip[3, int(strip.shape[1] * at_s / 300)]
        assert tuple(column) == colour, at_s
    page.element("#from").click()
    page.slide("#at", 210)
    page.wait(lambda: shown(page) == 2101, "the frame at 210 s")
    page.element("#to").click()
    page.until("!document.querySelector('#export').hidden")
    cut = tmp_path / "cut.mcap"
    where = page.js("document.querySelector('#export').href")
    cut.write_bytes(httpx.get(where, timeout=60).content)
    assert [h.sequence for h in frames_of(read(cut))] == list(range(2001, 2102))
    page.element("#note-text").send_keys("a <b>deer</b>", ENTER)
    page.until("document.querySelector('#marks button')")
    assert "a <b>deer</b>" in page.text("#marks")
    page.slide("#at", 0)
    page.wait(lambda: shown(page) == 1, "the first frame again")
    page.element("#marks button").click()
    page.wait(lambda: shown(page) == 2101, "the marked moment")


def test_it_plays_at_speed(page: Page) -> None:
    page.open("/ui/drive?at=10")
    page.wait(lambda: shown(page) == 101, "where the address says")
    page.js("document.querySelector('#speed').value = '20'")
    page.element("#play").click()
    page.wait(lambda: shown(page) > 400, "half a minute later")
    page.element("#play").click()
    stopped = page.js("document.querySelector('#play').getAttribute('aria-pressed')")
    assert stopped == "false" and page.complaints() == []
