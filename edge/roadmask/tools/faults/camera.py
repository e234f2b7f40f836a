"""A network camera on this machine that does wrong when it is told to."""

from __future__ import annotations

import contextlib
import itertools
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import cv2
import numpy as np

from roadmask.arrays import Image
from roadmask.imaging.encoding import encode_picture
from roadmask.town.town import Town

_FPS, _PICTURES, _SIZE = 15, 60, (320, 240)


def _blurred(image: Image) -> Image:
    return cv2.GaussianBlur(image, (0, 0), 12)  # type: ignore[return-value]


_RNG = np.random.default_rng(7)
_LOOKS: dict[str, Callable[[Image], Image]] = {
    "good": lambda image: image,
    "dark": lambda image: image // 24,
    "white": lambda image: np.maximum(image, 250),
    "covered": _blurred,
    "noise": lambda image: _RNG.integers(0, 256, image.shape, np.uint8),
    "grey": lambda image: np.full_like(image, 128),
    "larger": lambda image: image.repeat(2, axis=0).repeat(2, axis=1),
}


class Camera:
    """Motion JPEG at ``url``; a context manager.

    Attributes:
        does: ``good``, ``dark``, ``white``, ``covered``, ``noise``, ``grey``, ``larger``: what its
            pictures show; ``frozen``, ``garbage``, ``slow``, ``stalls``: how it delivers.
    """

    def __init__(self) -> None:
        self.does = "good"
        town = Town(3, *_SIZE)
        self._town = [town.frame(number).image for number in range(_PICTURES)]
        self._jpegs: dict[str, list[bytes]] = {}
        self._counter = itertools.count()
        self._server: ThreadingHTTPServer | None = None
        self._open = threading.Event()
        self._port = 0
        self.appear()

    def __enter__(self) -> Camera:
        return self

    def __exit__(self, *_: object) -> None:
        self.vanish()

    @property
    def url(self) -> str:
        """Its address, which stays."""
        return f"http://127.0.0.1:{self._port}/"

    def appear(self) -> None:
        """Be there, again at the same address."""
        camera = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                camera._serve(self)

            def log_message(self, format: str, *arguments: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", self._port), Handler)
        self._server.daemon_threads = True
        self._port = self._server.server_port
        self._open.set()
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def do(self, word: str) -> None:
        """Do that from the next picture on; see ``does``."""
        self._jpegs_of(word)  # here: to blur sixty pictures is not the daemon's time
        self.does = word

    def vanish(self) -> None:
        """Be gone: connections break, none is answered."""
        self._open.clear()
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def _serve(self, request: BaseHTTPRequestHandler) -> None:
        with contextlib.suppress(OSError):  # the reader is gone
            request.send_response(200)
            request.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
            request.end_headers()
            due_s = time.monotonic()
            while self._open.is_set():
                if self.does != "stalls":
                    data = self._next()
                    head = f"Content-Type: image/jpeg\r\nContent-Length: {len(data)}\r\n\r\n"
                    request.wfile.write(b"--frame\r\n" + head.encode() + data + b"\r\n")
                due_s = max(due_s + (8 if self.does == "slow" else 1) / _FPS, time.monotonic())
                time.sleep(due_s - time.monotonic() if due_s > time.monotonic() else 0)

    def _next(self) -> bytes:
        number, does = next(self._counter), self.does
        if does == "frozen":
            number = 0
        data = self._jpegs_of(does)[number % _PICTURES]
        return b"\xff\xd8" + bytes(len(data)) + b"\xff\xd9" if does == "garbage" else data

    def _jpegs_of(self, word: str) -> list[bytes]:
        look = word if word in _LOOKS else "good"
        if look not in self._jpegs:
            self._jpegs[look] = [self._jpeg(_LOOKS[look](image)) for image in self._town]
        return self._jpegs[look]

    def _jpeg(self, image: Image) -> bytes:
        return encode_picture(".jpg", image[..., ::-1])
