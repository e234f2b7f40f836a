"""``python -m roadmask.web.videos.decoder``: the frames of an uploaded video, on standard output.

A process of its own, as a video's decoder is large and its input anybody's: what goes wrong here
(a crash, too much memory, too much time) ends this process and nothing else. The video lies in
memory that the caller hands over as an open descriptor; nothing is written to disk.
"""

from __future__ import annotations

import math
import os
import resource
import struct
import sys

import cv2

from roadmask.errors import DataError
from roadmask.inference.preprocess import LARGEST_SIDE_PX

HEAD = struct.Struct("<dII")  # seconds from the beginning, width, height; then BGR
_CPU_S, _MEMORY, _NICE = 120, 2 << 30, 10


def decode(descriptor: int, longest_s: float, most: int, max_pixels: int) -> None:
    """Write at most so many frames, spread evenly.

    Raises:
        DataError: no video, too long, or too large.
    """
    video = cv2.VideoCapture(f"/proc/self/fd/{descriptor}", cv2.CAP_FFMPEG)
    fps, count = video.get(cv2.CAP_PROP_FPS), video.get(cv2.CAP_PROP_FRAME_COUNT)
    width, height = (
        int(video.get(key)) for key in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT)
    )
    if not video.isOpened() or width <= 0 or height <= 0:
        raise DataError("the video cannot be decoded: send MP4 or WebM with a common codec")
    if width * height > max_pixels or max(width, height) > LARGEST_SIDE_PX:
        raise DataError(f"the video has {width}x{height} px: send it smaller")
    if not (math.isfinite(fps) and 0 < fps <= 1000):
        raise DataError("the video does not say how many frames a second it has: save it anew")
    if count / fps > longest_s:
        raise DataError(
            f"the video lasts {count / fps:.0f} s: at most {longest_s:g} s are taken; cut it"
        )
    # What it says of its length may be wrong: no more than this is looked at.
    last = math.ceil(longest_s * fps)
    step = max(1, math.ceil(min(count if count > 0 else last, last) / most))
    out = sys.stdout.buffer
    for number in range(last):
        if not video.grab():
            break
        if number % step:
            continue
        done, frame = video.retrieve()
        if done and frame.ndim == 3 and frame.shape[0] * frame.shape[1] <= max_pixels:
            out.write(HEAD.pack(number / fps, frame.shape[1], frame.shape[0]))
            out.write(frame.tobytes())
    out.flush()


def main(arguments: list[str]) -> int:
    """Descriptor, longest, most frames, most pixels."""
    resource.setrlimit(resource.RLIMIT_CPU, (_CPU_S, _CPU_S))
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    os.nice(_NICE)
    descriptor, longest_s, most, max_pixels = arguments
    try:
        decode(int(descriptor), float(longest_s), int(most), int(max_pixels))
    except DataError as error:
        print(error, file=sys.stderr)
        return 2
    except BrokenPipeError:
        return 0
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
