"""English and French: every word of the pages is in the catalogue, and the pages speak it."""

from __future__ import annotations

import re

import pytest
from page_parts import Page
from words import all_words, catalogue

from roadmask.web.routes.pages import STATIC

# Of the French pages: what a person sees must not be one of these.
_ENGLISH = re.compile(r"\b(the|with|frames|picture|network|choose|opacity)\b", re.I)
PAGES = ("/", "/ui/live", "/ui/gallery?id=C_0000", "/ui/compare", "/ui/errors", "/ui/drive")


def test_the_catalogue_holds_every_word_and_no_other() -> None:
    words, french = all_words(), catalogue("fr")
    assert words - set(french) == set(), "add them to languages/fr.js"
    assert set(french) - words == set(), "no page says these any more"
    blanks = re.compile(r"\{\w+\}")
    for word, said in french.items():
        assert set(blanks.findall(word)) == set(blanks.findall(said)), word


@pytest.mark.parametrize("path", PAGES)
def test_a_page_in_french(page: Page, path: str) -> None:
    page.open("/static/login.css").js("localStorage.setItem('roadmask-language', 'fr')")
    try:
        page.open(path).until("document.querySelector('.language')")
        if path == "/":
            page.until("document.querySelector('#snippets pre')")
        if "id=" in path or path.endswith("compare"):
            page.until("document.querySelector('[data-shown]')")
            page.until(r"/\d,\d\s%/.test(document.querySelector('#scores').textContent)")
        assert page.js("document.documentElement.lang") == "fr"
        hide = "e => { e.style.display = 'none' }"  # what is not a catalogue's
        page.js(f"document.querySelectorAll('pre, code, select, #notice').forEach({hide})")
        said = page.js("document.body.innerText")
        assert not _ENGLISH.findall(said), said
        page.complaints()
    finally:
        page.js("localStorage.removeItem('roadmask-language')")


def test_the_language_is_chosen_on_the_page(page: Page) -> None:
    page.open("/").until("document.querySelector('.language')")
    assert page.js("document.documentElement.lang") == "en"
    try:
        page.js(
            "(e => { e.value = 'fr'; e.dispatchEvent(new Event('change')) })"
            "(document.querySelector('.language'))"
        )
        page.until("document.querySelector('.bar a[href=\"/\"]')?.textContent == 'Accueil'")
    finally:
        page.js("localStorage.removeItem('roadmask-language')")


@pytest.mark.parametrize("path", PAGES)
def test_the_first_view_is_small(page: Page, path: str) -> None:
    """150 KB but for the pictures of the data set; no framework, nothing from elsewhere."""
    page.open(path).until("document.querySelector('.language')")
    names = page.js(
        "performance.getEntriesByType('resource').map(entry => new URL(entry.name).pathname)"
    )
    ours = {name for name in names if name.startswith("/static/")}
    page_file = "start" if path == "/" else path.split("/")[-1].partition("?")[0]
    total = sum((STATIC / name.removeprefix("/static/")).stat().st_size for name in ours)
    total += (STATIC / f"{page_file}.html").stat().st_size
    assert len(ours) > 3 and total < 150_000
