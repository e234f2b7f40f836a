"""The examples of both client libraries: what S4 copies, and so must act on what it is told."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cpp_parts import REPOSITORY, program
from stream_parts import frame_info, wait_for

from roadmask.arrays import U8
from roadmask.stream.modes import Flag, Mode, Reason
from roadmask.stream.publish.publisher import Publisher


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "masks.sock"


EXAMPLES = ("subscribe.py", "subscribe.cpp")


ROAD = np.ones((32, 64), np.uint8)
ROAD[:24] = 2


def said_by_the_example(
    path: Path, example: str, mask: U8, frames: int = 1, **info: Any
) -> list[str]:
    """What it prints of so many frames that show ``mask``."""
    with Publisher(path, mask_size=(64, 32)) as publisher:
        python = [sys.executable, str(REPOSITORY / "edge" / "examples" / "subscribe.py")]
        command = python if example == "subscribe.py" else [program("subscribe")]
        running = subprocess.Popen(
            [*command, str(path), str(frames), "--allow-not-live"],
            stdout=subprocess.PIPE,
            text=True,
            env={"PYTHONPATH": ":".join(filter(None, sys.path))},
        )

        def published() -> bool:
            publisher.begin().mask[:] = mask
            told = {"flags": Flag.SYNTHETIC, "scale": (20.0, 22.5), **info}
            publisher.publish(frame_info(**told))
            return running.poll() is not None

        wait_for(published, "the frames are read")
        assert running.stdout is not None
        lines = [line for line in running.stdout if not line.startswith("stop: no mask")]
        running.stdout.close()
    assert running.returncode == 0
    return lines


@pytest.mark.parametrize("example", EXAMPLES)
def test_the_example_reads_the_free_distance(path: Path, example: str) -> None:
    """A road from row 24 of 32 on; a row nearer and half a degree lower, its least is row 24.5.

    It lies 22.5 x 24.5 - 359.5 = 191.75 px below the middle; the focal length of 60 degrees over
    1280 px is 640 / tan 30 = 1108.5 px: 1.3 m / tan(atan(191.75 / 1108.5) + 0.5 deg) = 7.14 m.
    """
    lines = said_by_the_example(path, example, ROAD, frames=3)
    assert len(lines) == 3
    for line in lines:
        assert re.fullmatch(r"mask \d+ OK age \d+\.\d ms, free 7\.14 m\n", line)


@pytest.mark.parametrize("example", EXAMPLES)
@pytest.mark.parametrize("category", [0, 2, 6, 7])
def test_one_pixel_that_is_not_flat_ends_the_free_distance(
    path: Path, example: str, category: int
) -> None:
    """In row 28 of 32; at least row 29.5 is free: 1.3 m / tan(atan(304.25 / 1108.5) + 0.5 deg)."""
    mask = ROAD.copy()
    mask[28, 32] = category
    for line in said_by_the_example(path, example, mask):
        assert line.endswith(", free 4.58 m\n"), line
    mask[28, 32], mask[28, 1] = 1, category  # far beside the corridor of 2 m
    for line in said_by_the_example(path, example, mask):
        assert line.endswith(", free 7.14 m\n"), line


@pytest.mark.parametrize("example", EXAMPLES)
def test_the_example_acts_on_mode_and_reasons(path: Path, example: str) -> None:
    road = np.ones((32, 64), np.uint8)
    said = {"mode": Mode.DEGRADED, "reasons": Reason.LOW_RATE}
    for line in said_by_the_example(path, example, road, **said):
        assert re.fullmatch(
            r"mask \d+ DEGRADED LOW_RATE age .* ms, free 20\.00 m, carefully\n", line
        )


HUGE, TINY = 3e38, 1e-38
HOSTILE = [(1.0, HUGE), (HUGE, HUGE), (TINY, 22.5), (TINY, TINY), (1.0, TINY), (HUGE, TINY)]


@pytest.mark.parametrize("scale", [*HOSTILE, (20.0, 22.5)])
@pytest.mark.parametrize("offset", [(0.0, 0.0), (HUGE, -HUGE), (-HUGE, HUGE)])
def test_no_scale_overflows_the_example(
    path: Path, scale: tuple[float, float], offset: tuple[float, float]
) -> None:
    """Both say the same of a road that fills the mask: a distance, or why there is none."""
    road = np.ones((32, 64), np.uint8)
    told = {
        line.rsplit(",", 1)[1]
        for example in EXAMPLES
        for line in said_by_the_example(path, example, road, scale=scale, offset=offset)
    }
    assert len(told) == 1
    line = told.pop()
    free = re.fullmatch(r" free (\d+\.\d\d) m\n", line)
    if free is None:
        assert line in (
            " stop: free distance unknown: TRANSFORM\n",
            " stop: free distance unknown: NOT_SEEN\n",
        )
    else:
        assert 0 <= float(free[1]) <= 60 and abs(offset[0]) < HUGE
