"""Parts that the tests of the pages share: a page in Chromium, a daemon, a second network."""

from __future__ import annotations

import base64
import json
import os
import shutil
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from web_parts import decoded

from roadmask.arrays import U8
from roadmask.inference.model_file import sealed
from roadmask.labels.label_set import CATEGORY_COLORS_RGB

TOKEN = "a-token-for-the-tests-of-the-pages"
ENTER = "\ue007"  # WebDriver's code for the key
PATIENCE_S = 60.0  # for a loaded machine: a test that passes never waits so long


def start_chromium() -> Any:
    """A headless Chromium of the system, or a skip where there is none."""
    webdriver = pytest.importorskip("selenium.webdriver")
    browser = shutil.which("chromium") or shutil.which("chromium-browser")
    driver = shutil.which("chromedriver")
    if not browser or not driver:
        pytest.skip("no Chromium with its driver: apt-get install chromium chromium-driver")
    options = webdriver.ChromeOptions()
    options.binary_location = browser
    for flag in (
        "--headless=new",
        "--no-sandbox",  # the tests may run as root
        "--disable-dev-shm-usage",
        "--disable-gpu",
        "--disable-extensions",
        "--disable-background-networking",
        "--disable-component-update",
        "--hide-scrollbars",
        "--window-size=1280,720",
    ):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    service = webdriver.ChromeService(executable_path=driver)
    return webdriver.Chrome(options=options, service=service)


class Page:
    """The browser's page, with what a person does and sees."""

    def __init__(self, driver: Any, base: str) -> None:
        self.driver, self.base = driver, base
        # A page of another test may still look for its server.
        self.open("about:blank").complaints()

    def open(self, path: str) -> Page:
        self.driver.get(path if path.startswith("about:") else self.base + path)
        return self

    def size(self, width: int, height: int, dark: bool = False) -> Page:
        """The window's inside, in CSS px, and the scheme of colours."""
        self.driver.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False},
        )
        scheme = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": scheme})
        return self

    def js(self, expression: str, *arguments: object) -> Any:
        return self.driver.execute_script(f"return {expression}", *arguments)

    def until(self, expression: str, what: str = "") -> Any:
        """The first true value of a JavaScript expression."""
        return self.wait(lambda: self.js(expression), what or expression)

    def wait(self, condition: Callable[[], Any], what: str) -> Any:
        deadline = time.monotonic() + PATIENCE_S
        while not (value := condition()):
            assert time.monotonic() < deadline, f"never happened: {what}; the page: {self.said}"
            time.sleep(0.05)
        return value

    def element(self, css: str) -> Any:
        return self.driver.find_element("css selector", css)

    def text(self, css: str) -> str:
        return str(self.js("document.querySelector(arguments[0]).textContent", css))

    def keys(self, *keys: str) -> None:
        """Typed at whatever has the focus."""
        self.driver.switch_to.active_element.send_keys(*keys)

    def slide(self, css: str, value: int) -> None:
        """A slider, set as a person's move sets it."""
        self.js(
            "(e => { e.value = arguments[1]; e.dispatchEvent(new Event('input')); })"
            "(document.querySelector(arguments[0]))",
            css,
            value,
        )

    def canvas(self, css: str) -> U8:
        """``(H, W, 3) uint8`` RGB as it is drawn."""
        url = self.js("document.querySelector(arguments[0]).toDataURL('image/png')", css)
        return np.asarray(decoded(from_data_url(url))[..., 2::-1], np.uint8)

    def unmarked(self, css: str) -> npt.NDArray[np.bool_]:
        """``(H, W)``: where the frame's number and time are not drawn over the canvas."""
        place = self.js("document.querySelector(arguments[0]).dataset.markPlace.split(' ')", css)
        x, y, width, height = map(int, place)
        outside = np.ones(self.canvas(css).shape[:2], bool)
        outside[y : y + height, x : x + width] = False
        return outside

    def table(self, css: str) -> dict[str, list[str]]:
        """The rows of a table, by their heading."""
        rows: list[list[str]] = self.js(
            "[...document.querySelectorAll(arguments[0] + ' tr')]"
            ".map(row => [...row.cells].map(cell => cell.textContent))",
            css,
        )
        return {row[0]: row[1:] for row in rows}

    @property
    def said(self) -> str:
        return str(self.js("document.body.innerText"))[:600]

    def complaints(self) -> list[str]:
        """What the console holds since it was last asked, but for plain information."""
        return [
            entry["message"]
            for entry in self.driver.get_log("browser")
            if entry["level"] in ("WARNING", "SEVERE")
        ]


def log_in(page: Page, token: str, leads_to: str) -> None:
    """Give the token, and wait until the page that was wanted is there."""
    page.element("#token").send_keys(token, ENTER)
    page.until(f"location.href.includes('{leads_to}')", f"led to {leads_to}")


def from_data_url(url: str) -> bytes:
    return base64.b64decode(url.partition("base64,")[2])


def colors_of(ids: U8) -> U8:
    """``(H, W, 3) uint8`` RGB of a mask of categories."""
    return np.asarray(CATEGORY_COLORS_RGB[ids], np.uint8)


@contextmanager
def daemon(
    socket: Path, town: str = "width=320&height=240&fps=15", *options: str
) -> Iterator[subprocess.Popen[bytes]]:
    """``roadmask run`` on a small town with the preview, patient as the machine may be busy."""
    source = f"synthetic:town?seed=7&{town}"
    command = [sys.executable, "-m", "roadmask", "run", "--source", source, "--preview"]
    command += ["--socket", str(socket), "--max-age-ms", "2000", *options]
    path = os.pathsep.join(filter(None, sys.path))
    running = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": path})
    deadline = time.monotonic() + PATIENCE_S
    try:
        while not socket.exists():
            assert running.poll() is None and time.monotonic() < deadline, "the daemon's socket"
            time.sleep(0.02)
        yield running
    finally:
        running.send_signal(signal.SIGCONT)
        running.terminate()
        try:
            running.wait(20)
        finally:
            running.kill()


def another_network(shipped: Path, folder: Path) -> Path:
    """The shipped network with the bytes of its largest tensor reversed: it runs, and differs."""
    data = bytearray(shipped.read_bytes())

    def u32(at: int) -> int:
        return int(struct.unpack_from("<I", data, at)[0])

    def field(table: int, slot: int) -> int:
        vtable = table - struct.unpack_from("<i", data, table)[0]
        length = struct.unpack_from("<H", data, vtable)[0]
        at = 4 + 2 * slot
        return table + (struct.unpack_from("<H", data, vtable + at)[0] if at < length else 0)

    def follow(at: int) -> int:
        return at + u32(at)

    buffers = follow(field(follow(0), 4))  # Model.buffers of TensorFlow Lite's schema
    contents = []
    for index in range(u32(buffers)):
        table = follow(buffers + 4 + 4 * index)
        at = field(table, 0)
        if at != table:
            contents.append((u32(follow(at)), follow(at) + 4))
    size, start = max(contents)
    data[start : start + size] = data[start : start + size][::-1]
    path = folder / "another.tflite"
    path.write_bytes(sealed(bytes(data)))
    return path


def write_picture(path: Path, image: U8) -> Path:
    assert cv2.imwrite(str(path), image)
    return path


def percent(value: float | None) -> str:
    """A fraction as the pages write it."""
    return "–" if value is None else f"{100 * value:.1f} %"


def json_of(client: Any, path: str, **query: object) -> Any:
    return json.loads(client.get(path, params=query).raise_for_status().content)
