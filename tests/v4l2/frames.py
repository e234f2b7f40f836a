"""The emulated webcam's frames, made on the host: drawing in an emulated machine takes too long."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from roadmask.town.town import Town

# The daemon calls a camera FROZEN whose pictures are among the last 16 that it looked at.
COUNTS = {"mjpeg": 128, "yuyv": 12}


def write_frames(folder: Path) -> None:
    """``mjpeg/N`` of 1280x720 and ``yuyv/N`` of 640x360, from the synthetic town."""
    town = Town(1, 1280, 720, weather="day")
    for kind in COUNTS:
        (folder / kind).mkdir(parents=True)
    for index in range(max(COUNTS.values())):
        image = town.frame(30 * index).image
        jpeg = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 70])[1]
        (folder / "mjpeg" / f"{index:03}").write_bytes(jpeg.tobytes())
        if index < COUNTS["yuyv"]:
            small = cv2.resize(image, (640, 360), interpolation=cv2.INTER_AREA)
            (folder / "yuyv" / f"{index:03}").write_bytes(_yuyv(small))


def _yuyv(bgr: np.ndarray) -> bytes:
    yuv = cv2.cvtColor(bgr, cv2.COLOR_BGR2YUV).astype(np.float32)
    # BT.601's limited range, one pair of colour values for two pixels.
    luma = np.uint8(yuv[..., 0] * (219 / 255) + 16)
    chroma = np.uint8(128 + (yuv[:, ::2, 1:] - 128) * (224 / 255))
    packed = np.stack([luma, chroma.reshape(luma.shape)], -1)
    return packed.tobytes()
