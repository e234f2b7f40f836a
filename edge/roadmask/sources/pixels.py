"""A camera's raw bytes to a picture, with the checks that OpenCV's own conversion does not make.

Left to itself OpenCV answers a JPEG that it cannot decode with the previous picture, byte for
byte, and a short buffer with whatever lay in memory. Here both are an error with a name.

Who needs no more than a small tensor gets less work: bytes that the preprocessing kernel reads are
passed on as they are, and a JPEG is decoded at a half, a quarter or an eighth of its size, for
which its decoder leaves out most of the inverse transform (ITU-T T.81; libjpeg's scaled IDCT).
"""

from __future__ import annotations

import cv2
import numpy as np

from roadmask.arrays import Image
from roadmask.imaging.jpeg import MAX_SCANS, jpeg_header, too_many_scans
from roadmask.sources.buffers import BufferPool
from roadmask.sources.source import Picture, PictureError

_END_OF_JPEG = b"\xff\xd9"
_MAX_PIXELS = 1 << 27  # of a JPEG, 400 MB decoded
_PADDING = 64  # bytes behind the end mark in which it is looked for first

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
# Those that the preprocessing kernel reads itself, by its names for them.
_LAYOUTS = {"YUYV": "yuyv", "NV12": "nv12", "GREY": "grey", "BGR3": "bgr"}
# A JPEG turned by its EXIF block would no longer be what the camera's pixels are.
_JPEG_SCALES = {
    8: cv2.IMREAD_REDUCED_COLOR_8 | cv2.IMREAD_IGNORE_ORIENTATION,
    4: cv2.IMREAD_REDUCED_COLOR_4 | cv2.IMREAD_IGNORE_ORIENTATION,
    2: cv2.IMREAD_REDUCED_COLOR_2 | cv2.IMREAD_IGNORE_ORIENTATION,
    1: cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION,
}


class Decoder:
    """Turns one buffer after the other into a ``Picture``.

    Args:
        pixel_format: one of ``FORMATS``.
        size: (width, height) px; a JPEG brings its own.
        end_mark: refuse a JPEG without its end mark: it was cut off, and some decoders fill the
            rest with grey. False for a camera that never sends one.

    Attributes:
        needed: None gives whole BGR pictures. A (width, height) allows the layouts of
            ``Frame`` and a JPEG of reduced scale that is at least so large.
    """

    def __init__(self, pixel_format: str, size: tuple[int, int], *, end_mark: bool = True) -> None:
        self._format, self._size, self._end_mark = pixel_format, size, end_mark
        self._pool = BufferPool()
        self.needed: tuple[int, int] | None = None

    def __call__(self, data: Image) -> Picture:
        """The picture in ``data``, which it may be a view of.

        Raises:
            PictureError: empty, short, cut off, or not decodable.
        """
        data = data.reshape(-1)
        if self._format in JPEG_FORMATS:
            return _decode_jpeg(data, self._end_mark, self.needed)
        rows = _rows(data, self._format, self._size)
        layout = _LAYOUTS.get(self._format)
        even = not (self._size[0] % 2 or self._size[1] % 2)
        if self.needed is not None and layout is not None and even:
            return Picture(rows, layout, self._size)
        width, height = self._size
        image = self._pool.take(height, width, 3)
        code = _PLAIN[self._format][2]
        if code is None:
            np.copyto(image, rows)
        else:
            cv2.cvtColor(np.ascontiguousarray(rows), code, dst=image)
        return Picture(image, "bgr", self._size)


def _decode_jpeg(data: Image, end_mark: bool, needed: tuple[int, int] | None) -> Picture:
    if data.size == 0:
        raise PictureError("empty JPEG")
    if not _has_end_mark(data):
        if end_mark:
            raise PictureError(f"JPEG of {data.size} bytes is cut off: it has no end mark")
        data = np.append(data, np.frombuffer(_END_OF_JPEG, np.uint8))
    header = jpeg_header(data.data)
    if header is not None and (scans := too_many_scans(data.data, header)):
        raise PictureError(f"JPEG of {data.size} bytes has {scans} scans: {MAX_SCANS} are taken")
    if header is not None and header.width * header.height > _MAX_PIXELS:
        raise PictureError(f"JPEG says {header.width}x{header.height} px, which no camera has")
    size = (header.width, header.height) if header else None
    image = cv2.imdecode(data, _JPEG_SCALES[_jpeg_scale(size, needed)]) if size else None
    if size is None or image is None:
        raise PictureError(f"JPEG of {data.size} bytes cannot be decoded")
    return Picture(image, "bgr", size)  # type: ignore[arg-type]


def _has_end_mark(data: Image) -> bool:
    """Inside a JPEG's data 0xFF is always followed by 0: the mark cannot occur by chance.

    Cameras pad behind it, a few bytes or up to the size of the largest picture.
    """
    return (
        data[-_PADDING:].tobytes().rfind(_END_OF_JPEG) >= 0
        or data.tobytes().rfind(_END_OF_JPEG) >= 0
    )


def _jpeg_scale(size: tuple[int, int] | None, needed: tuple[int, int] | None) -> int:
    """The divisor of the smallest picture that is still at least ``needed``."""
    if size is not None and needed is not None:
        for scale in _JPEG_SCALES:
            if size[0] >= scale * needed[0] and size[1] >= scale * needed[1]:
                return scale
    return 1


def _rows(data: Image, pixel_format: str, size: tuple[int, int]) -> Image:
    """The buffer as lines of pixels, without the padding that drivers may add to each."""
    width, height = size
    pixel_bytes, planes, _ = _PLAIN[pixel_format]
    lines = int(height * planes)
    stride = data.size // lines
    if stride < width * pixel_bytes:
        raise PictureError(
            f"{pixel_format} picture of {data.size} bytes: {width}x{height} needs "
            f"{width * pixel_bytes * lines}"
        )
    rows = data[: stride * lines].reshape(lines, stride)[:, : width * pixel_bytes]
    if pixel_bytes == 1:
        return rows
    return rows.reshape(lines, width, pixel_bytes)  # a view: an axis is split
