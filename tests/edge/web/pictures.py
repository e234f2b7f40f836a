"""``python tests/edge/web/pictures.py FOLDER [MODEL.tflite]``: the manual's pictures, of the town.

Needs Chromium, Pillow, ``tests/edge`` in PYTHONPATH; MODEL is compared with the shipped network.
"""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from page_parts import Page, daemon, start_chromium
from PIL import Image
from web_parts import server

from roadmask.inference.model_file import DEFAULT_MODEL
from roadmask.labels.label_set import CATEGORY_COLORS_RGB

_FRAME = "town2000_000051"
_SHOWN = "document.querySelector('[data-shown]')"
_TOWN = "width=1280&height=720&fps=15&prerender=96"
_SMALL = """[...document.querySelectorAll('#frames img')].filter(
    (image) => image.getBoundingClientRect().top < innerHeight).every(
    (image) => image.complete && image.naturalWidth)"""
_PLOT_S = 40.0  # until the plots have something to show


def main(folder: Path, models: list[str]) -> None:
    """Write ``console-*.png`` into ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    arguments = ["--dataset", "town"]
    for model in models:
        arguments += ["--model", model]
    with tempfile.TemporaryDirectory() as place:
        socket = Path(place) / "masks.sock"
        drives = Path(place) / "drives"
        drives.mkdir()
        arguments += ["--drives", str(drives)]
        with (
            daemon(socket, _TOWN) as publisher,
            server("--socket", socket, *arguments) as (base, _),
        ):
            _record(socket, drives / "town.mcap", publisher.pid)
            driver = start_chromium()
            try:
                _take(Page(driver, base), publisher.pid, folder)
            finally:
                driver.quit()


def _take(page: Page, daemon_pid: int, folder: Path) -> None:
    def save(name: str) -> None:
        taken = Image.open(io.BytesIO(page.driver.get_screenshot_as_png())).convert("RGB")
        _few_colors(taken).save(folder / f"console-{name}.png", optimize=True)

    page.size(1280, 720).open("/").until("document.querySelectorAll('#models tr').length > 0")
    save("start")
    page.open("/ui/live")
    time.sleep(_PLOT_S)
    page.until("document.querySelector('#badge').dataset.mode == 'OK'")
    save("live")
    page.size(390, 844)
    save("live-phone")
    page.size(1280, 720)
    os.kill(daemon_pid, signal.SIGSTOP)
    page.until("document.querySelector('#badge').dataset.mode == 'STALE'")
    save("live-stale")
    os.kill(daemon_pid, signal.SIGCONT)
    for name, dark in (("gallery", False), ("compare", True)):
        page.size(1280, 720, dark=dark)
        for _ in range(2):  # the first prediction of a network is slower than the others
            page.open(f"/ui/{name}?id={_FRAME}").until(_SHOWN)
        save(name)
    page.size(1280, 720).open("/ui/drive?at=12").until("document.querySelector('#next:enabled')")
    page.until("document.querySelector('#strip').dataset.known == '1'")
    page.element("#next").click()
    page.until("document.querySelector('#badge').dataset.mode != 'OK'")
    page.until("document.querySelector('#next:enabled')")
    save("drive")
    page.size(1280, 720).open("/ui/errors").until("document.querySelector('#b').options.length > 1")
    page.js("document.querySelector('#b').selectedIndex = 2")
    page.element("#evaluate").click()
    _until(lambda: page.js("document.querySelector('#found').dataset.shown"))
    page.js("document.querySelector('#found').scrollIntoView()")
    save("errors")
    page.js("document.querySelector('#frames').scrollIntoView()")
    page.until(_SMALL)
    save("errors-frames")
    page.js("localStorage.setItem('roadmask-language', 'fr')")
    page.size(844, 390).open("/ui/live")
    page.until("document.querySelector('#badge').dataset.mode == 'OK'")
    save("live-french")
    page.js("localStorage.removeItem('roadmask-language')")


def _record(socket: Path, path: Path, daemon_pid: int) -> None:
    """Forty seconds of the stream, in which the daemon stands still for a moment."""
    command = [sys.executable, "-m", "roadmask", "record", "--socket", str(socket)]
    with subprocess.Popen([*command, "--out", str(path), "--seconds", "40"]) as recorder:
        time.sleep(20)
        os.kill(daemon_pid, signal.SIGSTOP)
        time.sleep(3)
        os.kill(daemon_pid, signal.SIGCONT)
        recorder.wait()


def _until(condition: Callable[[], object]) -> None:
    while not condition():
        time.sleep(0.5)


def _few_colors(picture: Image.Image) -> Image.Image:
    """256 colours, a third of the bytes; those of the categories as they are."""
    exact = CATEGORY_COLORS_RGB.ravel().tolist()
    found = picture.quantize(256 - len(CATEGORY_COLORS_RGB)).getpalette() or []
    palette = Image.new("P", (1, 1))
    palette.putpalette(exact + found)
    return picture.quantize(palette=palette, dither=Image.Dither.NONE)


if __name__ == "__main__":
    main(Path(sys.argv[1]), [DEFAULT_MODEL, *sys.argv[2:]])
