"""What the tests of sources share: videos that they write, and frames compared."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from roadmask.sources import (
    Frame,
    Source,
)

SIZE = (160, 96)


def write_video(path: Path, images: list[np.ndarray], codec: str, fps: float = 25.0) -> Path:
    size = (images[0].shape[1], images[0].shape[0])
    # OpenCV's own writer keeps odd sizes, FFmpeg's cuts them to even ones.
    backend = cv2.CAP_OPENCV_MJPEG if size[0] % 2 else cv2.CAP_FFMPEG
    writer = cv2.VideoWriter(
        str(path), backend, cv2.VideoWriter.fourcc(*codec), fps, size, images[0].ndim == 3
    )
    for image in images:
        writer.write(image)
    writer.release()
    return path


def read_all(source: Source) -> list[Frame]:
    with source:
        return list(source)


def difference(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.abs(a.astype(int) - b.astype(int)).mean())
