"""The live page over links that are slow or spoil pictures, and without a daemon, in Chromium."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from page_parts import Page, daemon
from proxy_parts import proxy
from web_parts import server

MODE = "document.querySelector('#badge').dataset.mode"
REASONS = "document.querySelector('#reasons').textContent"
SEQUENCE = "Number(document.querySelector('#picture').dataset.sequence || 0)"
# The badge, and how old the picture beside it is by the one clock of this machine. The badge is
# read after whatever was due when the age was.
WATCH = """(window.seen = [], setInterval(() => {
    const picture = document.querySelector('#picture'), badge = document.querySelector('#badge');
    const { mark } = picture.dataset;
    const age = mark && Date.now() - Date.parse(mark.replace(/^\\S+ /, '').replace(' ', 'T'));
    setTimeout(() => picture.dataset.mark == mark && window.seen.push([badge.dataset.mode, age]));
}, 20), true)"""
LIMIT_MS = 2000


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server on a daemon whose pictures may be 2 s old."""
    socket = tmp_path_factory.mktemp("doubt") / "masks.sock"
    with daemon(socket) as _, server("--socket", socket) as (url, _):
        yield url


def drawn(page: Page, more: int) -> None:
    """Until so many more pictures were drawn."""
    for _ in range(more):
        before = page.js(SEQUENCE)
        page.until(f"{SEQUENCE} > {before}", "a newer picture")


@pytest.mark.parametrize("delay_s", [1.5, pytest.param(4.0, marks=pytest.mark.slow)])
def test_a_slow_link_is_never_green(chromium: Any, base: str, delay_s: float) -> None:
    with proxy(base, delay_s) as slow:
        page = Page(chromium, slow).open("/ui/live")
        page.until(WATCH)
        drawn(page, 3)
        modes = {mode for mode, _ in page.js("window.seen")}
        assert not modes & {"OK", "DEGRADED"}, modes
        page.until(f"{REASONS}.includes('The way to this page is too slow')")
        said = page.text("#band")
        assert float(said.split("up to ")[1].split(" s")[0]) >= 2 * delay_s, said
        page.open("about:blank").complaints()


def ages_when_usable(page: Page) -> list[float]:
    """Of the picture, in ms, whenever the page called it usable since it was asked last."""
    seen = page.js("window.seen.splice(0)")
    return [age for mode, age in seen if mode in ("OK", "DEGRADED")]


def test_green_ends_when_the_picture_is_too_old(chromium: Any, base: str) -> None:
    spoiling: list[bool] = []
    with proxy(base, alter=lambda data: spoiled(data) if spoiling else data) as odd:
        page = Page(chromium, odd).open("/ui/live")
        for _ in range(3):  # the page's own ticks may happen to fit once
            page.until(f"['OK', 'DEGRADED'].includes({MODE})", "a usable picture")
            page.until(WATCH)
            page.until("window.seen.some(([mode]) => ['OK', 'DEGRADED'].includes(mode))", "green")
            spoiling.append(True)
            page.until(f"{MODE} == 'STALE'", "no more pictures")
            assert LIMIT_MS / 2 < max(ages_when_usable(page)) <= LIMIT_MS
            spoiling.clear()
        page.open("about:blank")


@pytest.mark.slow
def test_green_is_young_however_the_link_changes(chromium: Any, base: str) -> None:
    delay_s = [0.0]
    with proxy(base, lambda: delay_s[0]) as link:
        page = Page(chromium, link).open("/ui/live")
        page.until(WATCH)
        drawn(page, 10)
        for delay_s[0], more in ((0.4, 8), (0.9, 8), (1.5, 5), (4.0, 3), (0.0, 30)):
            drawn(page, more)
            assert max(ages_when_usable(page), default=0) <= LIMIT_MS, delay_s
        page.until(f"['OK', 'DEGRADED'].includes({MODE})", "a usable picture")
        page.open("about:blank").complaints()


def spoiled(data: bytes) -> bytes:
    """A message whose picture and mask cannot be decoded."""
    if b"RMW1" not in data:
        return data
    return data.replace(b"IHDR", b"XXXX").replace(b"\xff\xd8\xff", b"\0\0\0")


def test_a_quick_link_is_green_again(chromium: Any, base: str) -> None:
    with proxy(base) as quick:
        page = Page(chromium, quick).open("/ui/live")
        page.until(f"['OK', 'DEGRADED'].includes({MODE})", "a usable picture")
        page.until("!document.querySelector('#not-live').hidden")
        for width, height in ((1280, 720), (844, 390), (390, 844)):
            page.size(width, height)
            for css in ("#badge", "#not-live"):
                bottom = page.js(
                    "document.querySelector(arguments[0]).getBoundingClientRect().bottom", css
                )
                assert 0 < bottom <= height, (css, width, height)
        page.size(1280, 720)
        page.open("about:blank")
    assert page.complaints() == []


def test_pictures_that_cannot_be_decoded_are_said_and_passed_over(chromium: Any, base: str) -> None:
    bad: list[int] = []

    def spoil(data: bytes) -> bytes:
        if b"RMW1" not in data or b"IDAT" not in data or len(bad) == 4:
            return data
        bad.append(len(data))
        return spoiled(data)

    with proxy(base, alter=spoil) as odd:
        page = Page(chromium, odd).open("/ui/live")
        drawn(page, 2)
        page.until(f"['OK', 'DEGRADED'].includes({MODE})", "a usable picture")
        assert len(bad) == 4
        assert "Pictures not decoded" in page.text("#facts")
        page.open("about:blank")


def test_without_a_daemon_the_page_says_what_is_missing(chromium: Any, tmp_path: Path) -> None:
    socket = tmp_path / "nobody.sock"
    with server("--socket", socket) as (url, _):
        page = Page(chromium, url).open("/ui/live")
        page.until("document.querySelector('#mode').textContent == 'NO STREAM'")
        page.until(f"{REASONS}.includes('roadmask run --preview --socket {socket}')")
        page.open("about:blank")
