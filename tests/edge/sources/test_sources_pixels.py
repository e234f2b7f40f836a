"""The cheap way to the tensor: camera bytes that are never a whole BGR picture."""

from __future__ import annotations

import struct
from pathlib import Path

import cv2
import numpy as np
import pytest
from fake_camera import FakeCamera
from hypothesis import given
from hypothesis import strategies as st

from roadmask import _native
from roadmask.daemon.capture import CaptureThread
from roadmask.daemon.frame_slot import Captured
from roadmask.daemon.tensor_pool import TensorPool
from roadmask.imaging.jpeg import MAX_SCANS, jpeg_header
from roadmask.inference import reference_kernels as kernels_reference
from roadmask.inference.engine import Engine
from roadmask.inference.geometry import geometry
from roadmask.sources import PictureError, open_source
from roadmask.sources.pixels import FORMATS, JPEG_FORMATS, Decoder
from roadmask.town.town import Town

WIDTH, HEIGHT = 1280, 720
NETWORK, NEEDED = "roadnet-480x352", (480, 352)


@pytest.fixture(scope="module")
def town() -> np.ndarray:
    return Town(3, WIDTH, HEIGHT).frame(7).image


def jpeg(image: np.ndarray, quality: int = 90) -> np.ndarray:
    return cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]


def tensor_of(image: np.ndarray, layout: str = "bgr") -> np.ndarray:
    height = image.shape[0] * 2 // 3 if layout == "nv12" else image.shape[0]
    out = np.empty((NEEDED[1], NEEDED[0], 3), np.uint8)
    _native.PreprocessPlan((image.shape[1], height), NEEDED, None, layout).run(image, out)
    return out


def pixels_of(frame: Captured) -> np.ndarray:
    """What the int8 tensor of a frame shows."""
    return frame.prepared.tensor.view(np.uint8) ^ 0x80


@pytest.mark.parametrize(
    ("needed", "expected"),
    [
        (None, (720, 1280)),
        ((641, 360), (720, 1280)),  # half of it would be too narrow
        ((640, 360), (360, 640)),
        (NEEDED, (360, 640)),
        ((256, 128), (180, 320)),
        ((100, 50), (90, 160)),
        ((8, 8), (90, 160)),  # an eighth is the least that there is
        ((4000, 3000), (720, 1280)),
    ],
)
def test_a_jpeg_is_decoded_as_far_as_needed(
    town: np.ndarray, needed: tuple[int, int] | None, expected: tuple[int, int]
) -> None:
    decoder = Decoder("MJPG", (0, 0))
    decoder.needed = needed
    image, layout, size = decoder(jpeg(town))
    assert image.shape == (*expected, 3) and layout == "bgr"
    assert size == (WIDTH, HEIGHT)  # the camera's, to which the mask is mapped


def test_a_jpeg_of_odd_size_keeps_it(town: np.ndarray) -> None:
    decoder = Decoder("MJPG", (0, 0))
    decoder.needed = (100, 100)
    image, _, size = decoder(jpeg(town[:361, :501]))
    assert size == (501, 361)
    assert image.shape == (181, 251, 3)


def test_half_scale_gives_the_network_the_same_picture(town: np.ndarray) -> None:
    decoder = Decoder("MJPG", (0, 0))
    whole = tensor_of(decoder(jpeg(town)).image)
    decoder.needed = NEEDED
    half = tensor_of(decoder(jpeg(town)).image)
    error = np.abs(whole.astype(int) - half)
    # The two differ by the filter, a box of two before one of 1.33 against one of 2.67, and that
    # shows at edges alone; a shift by one pixel of the tensor gives a mean of 6 here.
    shifted = np.abs(whole[:, 1:].astype(int) - whole[:, :-1])
    assert error.mean() < 0.35 * shifted.mean()
    assert np.percentile(error, 99) < 32


def test_a_jpeg_is_never_turned_by_its_exif_block(town: np.ndarray) -> None:
    plain = jpeg(town).tobytes()
    # One IFD with one entry: orientation (0x112) = 6, turned by a quarter.
    tiff = b"MM\0*\0\0\0\x08" + b"\0\x01" + b"\x01\x12\0\x03\0\0\0\x01\0\x06\0\0" + bytes(4)
    block = b"Exif\0\0" + tiff
    turned = plain[:2] + b"\xff\xe1" + (len(block) + 2).to_bytes(2, "big") + block + plain[2:]
    data = np.frombuffer(turned, np.uint8)
    assert cv2.imdecode(data, cv2.IMREAD_COLOR).shape[:2] == (WIDTH, HEIGHT)  # the trap is one
    image, _, size = Decoder("MJPG", (0, 0))(data)
    assert image.shape[:2] == (HEIGHT, WIDTH) and size == (WIDTH, HEIGHT)


@given(st.binary(max_size=400))
def test_the_size_of_hostile_bytes_is_a_value_or_none(data: bytes) -> None:
    for prefix in (b"", b"\xff\xd8", b"\xff\xd8\xff\xc0\x00\x11\x08"):
        size = jpeg_header(prefix + data)
        assert size is None or (1 <= size[0] <= 65535 and 1 <= size[1] <= 65535)


def test_fill_bytes_and_scans_of_a_camera(town: np.ndarray) -> None:
    plain = jpeg(town).tobytes()
    table = plain.index(b"\xff\xdb")
    filled = np.frombuffer(plain[:table] + b"\xff" * 3 + plain[table:], np.uint8)
    decoder = Decoder("MJPG", (0, 0))
    np.testing.assert_array_equal(decoder(filled).image, decoder(jpeg(town)).image)
    slow = cv2.imencode(".jpg", town, (cv2.IMWRITE_JPEG_PROGRESSIVE, 1))[1].tobytes()
    assert decoder(np.frombuffer(slow, np.uint8)).size == (WIDTH, HEIGHT)
    for side in (30_000, 65_000):
        told = plain.replace(struct.pack(">HH", HEIGHT, WIDTH), struct.pack(">HH", side, side), 1)
        with pytest.raises(PictureError, match=f"says {side}x{side} px"):
            decoder(np.frombuffer(told, np.uint8))
    at = slow.rfind(b"\xff\xda")
    slow = slow[:-2] + slow[at : at + 2 + slow[at + 3]] * MAX_SCANS + slow[-2:]
    with pytest.raises(PictureError, match="scans"):
        decoder(np.frombuffer(slow, np.uint8))


def test_every_cut_of_a_jpeg_is_an_error() -> None:
    whole = jpeg(np.full((48, 64, 3), 90, np.uint8))
    decoder = Decoder("MJPG", (64, 48))
    decoder.needed = (16, 12)
    for length in range(len(whole) - 1):
        with pytest.raises(PictureError, match=r"cut off|empty|cannot be decoded"):
            decoder(whole[:length])
    assert decoder(whole).image.shape == (12, 16, 3)


def yuyv(image: np.ndarray) -> np.ndarray:
    planar = cv2.cvtColor(image, cv2.COLOR_BGR2YUV_I420)
    height, width = image.shape[:2]
    luma = planar[:height]
    u, v = planar[height:].reshape(2, height // 2, width // 2).repeat(2, axis=1)
    return np.dstack([luma, np.stack([u, v], -1).reshape(height, width)])


def nv12(image: np.ndarray) -> np.ndarray:
    planar = cv2.cvtColor(image, cv2.COLOR_BGR2YUV_I420)
    height, width = image.shape[:2]
    u, v = planar[height:].reshape(2, height // 2, width // 2)
    return np.vstack([planar[:height], np.stack([u, v], -1).reshape(height // 2, width)])


@pytest.mark.parametrize(
    ("pixel_format", "layout"), [("YUYV", "yuyv"), ("NV12", "nv12"), ("GREY", "grey")]
)
@pytest.mark.parametrize("padding", [0, 64])
def test_raw_formats_reach_the_tensor_in_one_pass(
    town: np.ndarray, pixel_format: str, layout: str, padding: int
) -> None:
    packed = {"YUYV": yuyv, "NV12": nv12, "GREY": lambda i: cv2.cvtColor(i, cv2.COLOR_BGR2GRAY)}
    pixels = packed[pixel_format](town)
    lines = pixels.reshape(pixels.shape[0], -1)
    buffer = np.pad(lines, ((0, 0), (0, padding)))  # drivers may pad each line
    decoder = Decoder(pixel_format, (WIDTH, HEIGHT))
    decoder.needed = NEEDED
    image, got, size = decoder(buffer.reshape(1, -1))
    assert (got, size) == (layout, (WIDTH, HEIGHT))
    assert np.shares_memory(image, buffer)  # not even a copy
    tensor = tensor_of(image, layout)
    assert np.array_equal(tensor, kernels_reference.preprocess(pixels, NEEDED, layout=layout))
    if pixel_format != "GREY":
        assert np.abs(tensor.astype(int) - tensor_of(town)).mean() < 4  # shared chroma


def test_an_odd_size_takes_the_long_way() -> None:
    decoder = Decoder("GREY", (63, 47))
    decoder.needed = (16, 12)
    image, layout, size = decoder(np.full((1, 63 * 47), 50, np.uint8))
    assert (image.shape, layout, size) == ((47, 63, 3), "bgr", (63, 47))


def test_other_formats_become_bgr(town: np.ndarray) -> None:
    for pixel_format in set(FORMATS) - set(JPEG_FORMATS) - {"YUYV", "NV12", "GREY"}:
        decoder = Decoder(pixel_format, (64, 48))
        decoder.needed = (16, 12)
        image, layout, _ = decoder(np.full((1, 64 * 48 * 3), 128, np.uint8))
        assert (image.shape, layout) == ((48, 64, 3), "bgr")


def motion_jpeg(path: Path, pictures: list[np.ndarray]) -> Path:
    height, width = pictures[0].shape[:2]
    code = cv2.VideoWriter.fourcc(*"MJPG")
    writer = cv2.VideoWriter(str(path), cv2.CAP_OPENCV_MJPEG, code, 25, (width, height))
    for picture in pictures:
        writer.write(picture)
    writer.release()
    return path


def test_a_motion_jpeg_file_is_read_like_a_camera(tmp_path: Path, town: np.ndarray) -> None:
    path = motion_jpeg(tmp_path / "drive.avi", [town, town[:, ::-1], town[::-1]])
    with open_source(f"{path}?realtime=0") as source:
        assert source.size == (WIDTH, HEIGHT)
        whole = [frame.image for frame in source]
    assert [image.shape for image in whole] == [(HEIGHT, WIDTH, 3)] * 3
    assert np.abs(whole[1].astype(int) - town[:, ::-1]).mean() < 8
    engine = Engine(NETWORK)
    pool = TensorPool(engine, geometry((WIDTH, HEIGHT), engine.input_size))
    with (
        open_source(f"{path}?realtime=0&loop=1") as source,
        CaptureThread(source, preparation=pool) as capture,
    ):
        for index in range(7):
            frame = capture.newest(10)
            assert frame is not None and (frame.frame_id, frame.skipped) == (index, 0)
            assert frame.size == (WIDTH, HEIGHT) and frame.image.size == 0
            expected = tensor_of(whole[index % 3])
            assert np.abs(pixels_of(frame).astype(int) - expected).mean() < 4
            pool.release(frame.prepared)


def test_a_broken_picture_in_a_motion_jpeg_file_is_named_and_passed_over(
    tmp_path: Path, town: np.ndarray
) -> None:
    path = motion_jpeg(tmp_path / "drive.avi", [town[:96, :128]] * 4)
    data = bytearray(path.read_bytes())
    starts = [i for i in range(len(data) - 3) if data[i : i + 4] == b"\xff\xd8\xff\xe0"]
    data[starts[2] : starts[2] + 400] = bytes(400)
    path.write_bytes(data)
    with open_source(f"{path}?realtime=0") as source:
        ids = []
        for _ in range(4):
            try:
                frame = source.read(1.0)
            except PictureError as error:
                assert "frame 2" in str(error)
                continue
            assert frame is not None
            ids.append(frame.frame_id)
    assert ids == [0, 1, 3]


def test_a_camera_that_comes_back_is_still_taken_raw(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, town: np.ndarray
) -> None:
    device = tmp_path / "video0"
    device.touch()
    camera = FakeCamera(formats=("YUYV",), sizes=((WIDTH, HEIGHT),), path=str(device))
    monkeypatch.setattr(cv2, "VideoCapture", camera.capture_class())
    camera.push(yuyv(town).tobytes())
    engine = Engine(NETWORK)
    pool = TensorPool(engine, geometry((WIDTH, HEIGHT), engine.input_size))
    expected = kernels_reference.preprocess(yuyv(town), NEEDED, layout="yuyv")
    with CaptureThread(f"v4l2:{device}", backoff_s=(0.01, 0.01), preparation=pool) as capture:
        first = capture.newest(10)
        assert first is not None and np.array_equal(pixels_of(first), expected)
        camera.plugged = False
        while capture.fault_code is None:
            assert capture.newest(0.01) is None
        camera.plugged = True
        camera.push(yuyv(town).tobytes())
        again = capture.newest(10)
        assert again is not None and np.array_equal(pixels_of(again), expected)
        assert capture.statistics.reopened >= 1
