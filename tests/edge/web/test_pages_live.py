"""The live page in a real Chromium, on a real daemon that is stopped, killed and started again."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from page_parts import PATIENCE_S, Page, colors_of, daemon
from web_parts import server
from websockets.sync.client import connect

USABLE = "['OK', 'DEGRADED'].includes(document.querySelector('#badge').dataset.mode)"
STALE = "document.querySelector('#badge').dataset.mode == 'STALE'"
GREY = "document.querySelector('#stage').classList.contains('dead')"
SEQUENCE = "Number(document.querySelector('#picture').dataset.sequence)"

SHARES = "[...document.querySelectorAll('#legend .value')].map(e => e.textContent)"


@pytest.fixture(scope="module")
def stream(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Any, Any]]:
    """A daemon and a server on its socket: the server's URL, and both processes."""
    socket = tmp_path_factory.mktemp("live") / "masks.sock"
    with daemon(socket) as publisher, server("--socket", socket) as (base, process):
        yield base, publisher, process


@pytest.fixture
def page(chromium: Any, stream: tuple[str, Any, Any]) -> Iterator[Page]:
    """The live page with a frame on it; its console is clean when the test is over."""
    page = Page(chromium, stream[0]).size(1280, 720)
    page.complaints()
    page.open("/ui/live").until(USABLE, "a usable picture")
    yield page
    assert page.complaints() == []


def test_frames_come_with_their_mask_and_numbers(page: Page) -> None:
    first = page.js(SEQUENCE)
    page.until(f"{SEQUENCE} > {first}", "a newer frame")
    assert not page.js(GREY) and page.js("document.querySelector('#band').hidden")
    shares = page.until(f"{SHARES}.includes('–') ? null : {SHARES}")
    assert len(shares) == 8
    assert sum(float(share.split()[0]) for share in shares) == pytest.approx(100, abs=0.5)
    page.element("#pause").click()  # what is drawn now stays
    page.slide("#opacity", 100)
    drawn = page.canvas("#picture")[page.unmarked("#picture")]
    categories = {tuple(color) for color in colors_of(np.arange(1, 8, dtype=np.uint8))}
    seen = {tuple(color) for color in np.unique(drawn, axis=0)}
    assert seen <= categories and len(seen) > 3, "the mask alone, in the categories' colours"
    page.slide("#opacity", 50)
    assert len(np.unique(page.canvas("#picture").reshape(-1, 3), axis=0)) > 100
    page.element("#pause").click()
    page.until("/[0-9.]+ fps/.test(document.querySelector('#fps').parentNode.textContent)")
    page.until("/[0-9.]+ ms/.test(document.querySelector('#latency-now').textContent)")
    assert "roadlite" in page.text("#facts") and "mIoU" in page.text("#facts")
    assert "synthetic" in page.text("#not-live")


def test_a_category_is_switched_off_by_keyboard(page: Page) -> None:
    page.element("#pause").click()
    page.slide("#opacity", 100)
    flat = tuple(colors_of(np.array(1, np.uint8)))

    def has_flat() -> bool:
        return bool((page.canvas("#picture") == flat).all(axis=-1).any())

    assert has_flat()
    page.js("document.querySelectorAll('#legend input')[1].focus()")
    page.keys(" ")
    assert not has_flat()
    page.keys(" ")
    assert has_flat()
    assert "PAUSED" in page.text("#band"), "a picture that stands still must say so"


def test_a_stopped_daemon_is_stale_until_it_goes_on(page: Page, stream: Any) -> None:
    publisher = stream[1]
    os.kill(publisher.pid, signal.SIGSTOP)
    page.until(f"{STALE} && {GREY}", "STALE over a grey picture")
    assert "STALE" in page.text("#band") and page.text("#reasons")
    assert set(page.js(SHARES)) == {"–"}, "no number that looks like now's"
    before = page.js(SEQUENCE)
    os.kill(publisher.pid, signal.SIGCONT)
    page.until(f"{USABLE} && !{GREY} && {SEQUENCE} > {before}", "frames again")


def test_a_silent_server_is_stale_by_the_pages_own_clock(page: Page, stream: Any) -> None:
    process = stream[2]
    os.kill(process.pid, signal.SIGSTOP)
    try:
        page.until(f"{STALE} && {GREY}", "STALE over a grey picture")
        page.until("document.querySelector('#reasons').textContent.includes('server says nothing')")
    finally:
        os.kill(process.pid, signal.SIGCONT)
    page.until(f"{USABLE} && !{GREY}", "frames again")


def test_a_hidden_page_takes_nothing_and_comes_back(page: Page, stream: Any) -> None:
    here = page.driver.current_window_handle
    with connect(stream[0].replace("http", "ws") + "/live", max_size=None) as viewer:

        def viewers() -> int:
            status = "{}"
            while isinstance(status, bytes) or "viewers" not in json.loads(status):
                status = viewer.recv(PATIENCE_S)
            return int(json.loads(status)["viewers"])

        page.wait(lambda: viewers() == 2, "the page and this viewer")
        page.driver.switch_to.new_window("tab")
        page.wait(lambda: viewers() == 1, "no other viewer while the page is hidden")
    page.driver.close()
    page.driver.switch_to.window(here)
    before = page.js(SEQUENCE)
    page.until(f"{USABLE} && {SEQUENCE} > {before}", "frames again")


@pytest.mark.slow
def test_the_page_reconnects_to_a_new_server(chromium: Any, stream: Any, tmp_path: Path) -> None:
    with daemon(tmp_path / "masks.sock"):
        with server("--socket", tmp_path / "masks.sock") as (base, _):
            page = Page(chromium, base).open("/ui/live")
            page.until(USABLE, "a usable picture")
        page.until(f"{STALE} && {GREY}", "STALE over a grey picture")
        port = base.rpartition(":")[2]
        with server("--socket", tmp_path / "masks.sock", "--port", port):
            page.until(f"{USABLE} && !{GREY}", "frames again")
            page.complaints()  # the refused connections
            chromium.get("about:blank")
