"""axe-core has nothing to say of any page: both languages, both schemes, screen and phone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from page_parts import Page
from web_parts import server

axe_core = pytest.importorskip("axe_core_python.selenium")

SIZES = {"screen": (1280, 720), "upright": (390, 844), "sideways": (844, 390)}
FRAMES = ("/ui/gallery?id=C_0000", "/ui/compare", "/ui/errors", "/ui/drive")
PAGES = ("/login", "/", "/ui/live", *FRAMES)


@pytest.fixture(scope="module")
def base(
    camvid_folder: Path, shipped_model: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """A server that has something to show on every page."""
    pytest.importorskip("mcap")
    from drive_parts import long_drive
    from record_parts import make_recording

    folder = tmp_path_factory.mktemp("axe")
    (folder / "drives").mkdir()
    long_drive(make_recording(folder), folder / "drives" / "d.mcap", 20)
    arguments = ("--dataset", "camvid", "--root", camvid_folder, "--drives", folder / "drives")
    with server(*arguments, "--model", shipped_model, "--socket", folder / "s") as (base, _):
        yield base


@pytest.fixture(scope="module")
def evaluated(base: str) -> str:
    """The id of a finished evaluation."""
    import httpx
    from stream_parts import wait_for

    with httpx.Client(base_url=base, timeout=60) as client:
        name = client.get("/models").json()["default"]
        job = client.post("/evaluations", json={"a": name}).json()["id"]
        wait_for(lambda: client.get(f"/evaluations/{job}").json()["state"] == "done", "the job")
    return str(job)


@pytest.mark.slow
@pytest.mark.parametrize("language", ["en", "fr"])
@pytest.mark.parametrize("path", PAGES)
def test_axe_finds_nothing(
    chromium: Any, base: str, evaluated: str, path: str, language: str
) -> None:
    page = Page(chromium, base).open("/static/login.css")
    page.js("localStorage.setItem('roadmask-language', arguments[0])", language)
    if path == "/ui/errors":
        path += f"?id={evaluated}"
    try:
        for where, size in SIZES.items():
            for dark in (False, True):
                page.size(*size, dark=dark).open(path)
                ready = "document.querySelector('.language, form[method=\"post\"]')"
                page.until(ready)
                if "id=" in path or "compare" in path:
                    page.until("document.querySelector('[data-shown]')")
                if "drive" in path:
                    page.until("document.querySelector('#picture').dataset.sequence")
                found = axe_core.Axe().run(chromium)["violations"]
                told = [(v["id"], [n["html"][:120] for n in v["nodes"]][:3]) for v in found]
                assert told == [], (where, dark, language)
    finally:
        page.js("localStorage.removeItem('roadmask-language')")
        page.size(1280, 720).open("about:blank").complaints()


def test_axe_is_asked(chromium: Any, base: str) -> None:
    page = Page(chromium, base).size(1280, 720).open("/")
    page.until("document.querySelector('#models tr')")
    page.js("document.querySelector('select').removeAttribute('aria-label')")
    found = axe_core.Axe().run(chromium)["violations"]
    assert [violation["id"] for violation in found] == ["select-name"]
    page.open("about:blank").complaints()
