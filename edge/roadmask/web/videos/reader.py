"""The frames of an uploaded video, from the process that decodes them."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator
from typing import NamedTuple

import numpy as np

from roadmask.arrays import U8
from roadmask.errors import DataError
from roadmask.web.videos.decoder import HEAD

LONGEST_S = 30.0
MOST_FRAMES = 150
# Quiet, and few threads: each takes of the memory that the process may map.
_ENVIRONMENT = {
    "OPENCV_LOG_LEVEL": "FATAL",
    "OPENCV_FFMPEG_LOGLEVEL": "-8",
    "OPENCV_FFMPEG_CAPTURE_OPTIONS": "threads;2",
    "OPENBLAS_NUM_THREADS": "1",
    "MALLOC_ARENA_MAX": "2",
}
_WHOLE_S = 120.0  # for all of a video, the networks' time included


class VideoFrame(NamedTuple):
    """One frame: seconds from the beginning, ``(H, W, 3) uint8`` BGR."""

    at_s: float
    image: U8


def is_video(data: bytes | bytearray) -> bool:
    """MP4, MOV, WebM or Matroska by its first bytes.

    Nothing else is handed to a decoder: there are playlists that would have it fetch addresses.
    """
    return data[4:8] == b"ftyp" or data[:4] == b"\x1a\x45\xdf\xa3"


async def frames_of(data: bytes | bytearray, max_pixels: int) -> AsyncIterator[VideoFrame]:
    """At most ``MOST_FRAMES`` frames, spread evenly over the video.

    Raises:
        DataError: no video that can be decoded, too long, or too large.
    """
    if not is_video(data):
        raise DataError("the file is no MP4 or WebM video: send one of those")
    descriptor = os.memfd_create("video")
    try:
        with os.fdopen(os.dup(descriptor), "wb") as memory:
            memory.write(data)
        numbers = map(str, (descriptor, LONGEST_S, MOST_FRAMES, max_pixels))
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "roadmask.web.videos.decoder", *numbers),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            pass_fds=(descriptor,),
            env={**os.environ, **_ENVIRONMENT},
        )
    finally:
        os.close(descriptor)
    deadline_s = asyncio.get_running_loop().time() + _WHOLE_S
    seen = 0
    try:
        while (frame := await asyncio.wait_for(_next(process), _WHOLE_S)) is not None:
            seen += 1
            yield frame
            if asyncio.get_running_loop().time() > deadline_s:
                return
        assert process.stderr is not None
        said = (await process.stderr.read(4096)).decode(errors="replace").strip()
        if await process.wait() == 2:
            raise DataError(said.splitlines()[-1])
        if not seen:
            raise DataError("no frame of the video can be decoded: its data is damaged")
    except asyncio.TimeoutError:
        raise DataError(f"the video took more than {_WHOLE_S:g} s to decode") from None
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def _next(process: asyncio.subprocess.Process) -> VideoFrame | None:
    assert process.stdout is not None
    try:
        at_s, width, height = HEAD.unpack(await process.stdout.readexactly(HEAD.size))
        pixels = await process.stdout.readexactly(3 * width * height)
    except asyncio.IncompleteReadError:
        return None
    return VideoFrame(at_s, np.frombuffer(pixels, np.uint8).reshape(height, width, 3))
