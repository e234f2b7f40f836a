"""Parts that the tests of the web server share: a real server process, town pictures."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np

from roadmask.arrays import U8
from roadmask.inference.engine import Engine
from roadmask.inference.postprocess import Postprocess
from roadmask.inference.preprocess import Preprocess
from roadmask.town.town import Town

_START = re.compile(r"roadmask: (http://\S+)/ ")


@contextmanager
def server(
    *arguments: object, script: str | None = None, **environment: str
) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """``roadmask serve`` in a process of its own, on a free port; its base URL and the process.

    ``script`` runs instead of it, and the rest is its environment.
    """
    command = [sys.executable, "-m", "roadmask", "serve", "--port", "0", *map(str, arguments)]
    if script is not None:
        command = [sys.executable, "-c", script]
    path = os.pathsep.join(filter(None, sys.path))
    running = subprocess.Popen(
        command,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": path, **environment},
    )
    try:
        assert running.stderr is not None
        line = running.stderr.readline()
        found = _START.match(line)
        assert found, line + running.stderr.read()
        yield found[1], running
    finally:
        running.send_signal(signal.SIGTERM)
        try:
            assert running.wait(20) == 0
        finally:
            running.kill()
            assert running.stderr is not None
            running.stderr.close()


def town_picture(width: int = 320, height: int = 180, frame: int = 5) -> U8:
    """A frame of the town, BGR."""
    return Town(3, width, height).frame(frame).image


def encoded(image: U8, suffix: str = ".png") -> bytes:
    """The picture as a file."""
    done, data = cv2.imencode(suffix, image)
    assert done
    return data.tobytes()


def engines_own(model: Path | str, image: U8) -> tuple[U8, U8]:
    """Mask and confidence as the daemon makes them with --mask-size camera."""
    engine = Engine(model)
    height, width = image.shape[:2]
    preprocess = Preprocess(engine, (width, height))
    postprocess = Postprocess(engine, (width, height))
    preprocess.into(image, engine.input)
    engine.invoke()
    mask, confidence = (np.empty((height, width), np.uint8) for _ in range(2))
    postprocess.into(mask, confidence)
    return mask, confidence


def decoded(data: bytes) -> U8:
    """A PNG as it is stored."""
    picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    assert picture is not None
    return picture  # type: ignore[return-value]
