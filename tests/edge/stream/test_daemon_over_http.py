"""A recorded drive behind a URL, through the real daemon: no default subscriber takes it."""

from __future__ import annotations

import contextlib
import functools
import http.server
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import pytest
from client_parts import LANGUAGES, reader
from stream_parts import wait_for

from roadmask.stream.modes import Flag, NoMask
from roadmask.stream.subscribe.subscriber import Subscriber
from roadmask.town.town import Town


class Ranges(http.server.BaseHTTPRequestHandler):
    """Parts of one file, as web servers give them: an MP4's index is at its end."""

    def __init__(self, data: bytes, *rest: Any) -> None:
        self.data = data
        super().__init__(*rest)

    def do_GET(self) -> None:
        asked = re.match(r"bytes=(\d+)-", self.headers.get("Range", "bytes=0-"))
        begin = int(asked[1]) if asked else 0
        self.send_response(206)
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(len(self.data) - begin))
        last = len(self.data) - 1
        self.send_header("Content-Range", f"bytes {begin}-{last}/{last + 1}")
        self.end_headers()
        with contextlib.suppress(ConnectionError):  # who seeks leaves
            self.wfile.write(self.data[begin:])

    def log_message(self, *_: object) -> None:
        """No line for each request."""


@pytest.fixture
def drive(tmp_path: Path) -> Iterator[str]:
    """The URL of two minutes of video, which ends after every test."""
    video = tmp_path / "drive.mp4"
    fourcc = cv2.VideoWriter.fourcc(*"mp4v")
    writer = cv2.VideoWriter(str(video), cv2.CAP_FFMPEG, fourcc, 10, (320, 240))
    town = Town(3, 320, 240, 10.0)
    images = [town.frame(number).image for number in range(40)]
    for number in range(1200):
        writer.write(images[number % 40])  # more than the 16 in a row that are a frozen camera's
    writer.release()
    handler = functools.partial(Ranges, video.read_bytes())
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/drive.mp4"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("asserted", ["", "?live=1&latency_ms=50"])
def test_a_drive_over_http_is_a_file_to_both_clients(
    drive: str, asserted: str, tmp_path: Path, shipped_model: Path
) -> None:
    path = tmp_path / "m.sock"
    command = [sys.executable, "-m", "roadmask", "run", "--source", drive + asserted]
    command += ["--model", str(shipped_model), "--socket", str(path)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as daemon:
        try:
            with Subscriber(path, allow_not_live=True, max_age_ms=10_000) as anything:
                mask = wait_for(lambda: anything.receive(timeout_s=0.1), "a mask")
            assert mask.flags & Flag.FILE
            for language in LANGUAGES:
                with reader(language, path) as ours:

                    def refused() -> bool:
                        assert not ours.look()
                        return ours.reason is NoMask.NOT_LIVE

                    wait_for(refused, f"{language}: not live")
        finally:
            daemon.kill()
            daemon.communicate()
