"""A camera's raw bytes to BGR, with the checks that OpenCV's own conversion does not make.

Left to itself OpenCV answers a JPEG that it cannot decode with the previous picture, byte for
byte, and a short buffer with whatever lay in memory. Here both are an error with a name.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from roadmask.sources.buffers import BufferPool
from roadmask.sources.source import Image, PictureError

_END_OF_JPEG = b"\xff\xd9"

# Pixel format -> (bytes of a line per pixel, lines per line of the picture, OpenCV's conversion).
_PLAIN: dict[str, tuple[int, float, int | None]] = {
    "YUYV": (2, 1, cv2.COLOR_YUV2BGR_YUYV),
    "UYVY": (2, 1, cv2.COLOR_YUV2BGR_UYVY),
    "NV12": (1, 1.5, cv2.COLOR_YUV2BGR_NV12),
    "NV21": (1, 1.5, cv2.COLOR_YUV2BGR_NV21),
    "YU12": (1, 1.5, cv2.COLOR_YUV2BGR_I420),
    "YV12": (1, 1.5, cv2.COLOR_YUV2BGR_YV12),
    "GREY": (1, 1, cv2.COLOR_GRAY2BGR),
    "BGR3": (3, 1, None),
    "RGB3": (3, 1, cv2.COLOR_RGB2BGR),
}
JPEG_FORMATS = ("MJPG", "JPEG")
FORMATS = (*JPEG_FORMATS, *_PLAIN)

Decoder = Callable[[Image], Image]


def decoder(
    pixel_format: str, size: tuple[int, int], pool: BufferPool, *, end_mark: bool = True
) -> Decoder:
    """A function from a buffer's bytes to ``(H, W, 3) uint8`` BGR.

    Args:
        pixel_format: one of ``FORMATS``.
        size: (width, height) px; a JPEG brings its own.
        pool: where the pictures are written.
        end_mark: refuse a JPEG without its end mark: it was cut off, and some decoders fill the
            rest with grey. False for a camera that never sends one.

    Raises:
        PictureError: (the function) empty, short, cut off, or not decodable.
    """
    if pixel_format in JPEG_FORMATS:
        return lambda data: _decode_jpeg(data.reshape(-1), end_mark)
    return lambda data: _convert(data.reshape(-1), pixel_format, size, pool)


def _decode_jpeg(data: Image, end_mark: bool) -> Image:
    if data.size == 0:
        raise PictureError("empty JPEG")
    # Inside the picture's data 0xFF is always followed by 0, so the mark cannot occur by chance.
    # Cameras pad behind it, hence the search.
    if data.tobytes().rfind(_END_OF_JPEG) < 0:
        if end_mark:
            raise PictureError(f"JPEG of {data.size} bytes is cut off: it has no end mark")
        data = np.append(data, np.frombuffer(_END_OF_JPEG, np.uint8))
    image = cv2.imdecode(data, cv2.IMREAD_COLOR)
    if image is None:
        raise PictureError(f"JPEG of {data.size} bytes cannot be decoded")
    return image  # type: ignore[return-value]


def _convert(data: Image, pixel_format: str, size: tuple[int, int], pool: BufferPool) -> Image:
    width, height = size
    pixel_bytes, planes, code = _PLAIN[pixel_format]
    lines = int(height * planes)
    stride = data.size // lines  # drivers may pad each line
    if stride < width * pixel_bytes:
        raise PictureError(
            f"{pixel_format} picture of {data.size} bytes: {width}x{height} needs "
            f"{width * pixel_bytes * lines}"
        )
    rows = data[: stride * lines].reshape(lines, stride)[:, : width * pixel_bytes]
    if pixel_bytes > 1:
        rows = np.ascontiguousarray(rows).reshape(lines, width, pixel_bytes)
    image = pool.take(height, width)
    if code is None:
        np.copyto(image, rows)
        return image
    return cv2.cvtColor(rows, code, dst=image)  # type: ignore[return-value]
