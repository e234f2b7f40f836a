"""Crop, letterbox and mask size: numbers by hand, kernels by reference, masks by their mapping."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from daemon_parts import daemon

from roadmask import _native
from roadmask.daemon.config import DaemonConfig
from roadmask.daemon.tensor_pool import TensorPool
from roadmask.errors import ConfigError
from roadmask.inference import reference_kernels as kernels_reference
from roadmask.inference.engine import Engine
from roadmask.inference.geometry import Geometry, Rect, geometry
from roadmask.inference.pixels import from_limits
from roadmask.inference.postprocess import Postprocess
from roadmask.inference.preprocess import Preprocess
from roadmask.sources import Frame
from roadmask.stream.subscribe.subscriber import Subscriber
from roadmask.town.town import Town

CAMERA = (1280, 720)


@pytest.fixture(scope="module")
def engine(shipped_model: Path) -> Engine:
    return Engine(shipped_model)


def test_the_whole_picture_stretched() -> None:
    plan = geometry(CAMERA, (480, 352))
    assert plan.crop == (0, 0, 1280, 720) and plan.inner == plan.mask_inner == (0, 0, 480, 352)
    transform = plan.transform(CAMERA)
    assert transform.scale == pytest.approx((1280 / 480, 720 / 352))
    # The middle of mask pixel 0 is 1280 / 480 / 2 px from the left edge, pixel 0's middle 0.5.
    assert transform.offset == pytest.approx((1280 / 480 / 2 - 0.5, 720 / 352 / 2 - 0.5))
    assert plan.needed == (480, 352)


def test_letterbox_of_a_horizon_crop() -> None:
    # 1280 x 320 into 480 x 352: 0.375 of it, 480 x 120, with (352 - 120) / 2 = 116 px above.
    plan = geometry(CAMERA, (480, 352), crop="0,240,1280,320", fit="letterbox")
    assert plan.crop == (0, 240, 1280, 320)
    assert plan.inner == plan.mask_inner == (0, 116, 480, 120)
    scale, offset = plan.transform(CAMERA)
    assert scale == pytest.approx((8 / 3, 8 / 3))
    # The upper edge of mask row 116 is the crop's, 240: row m's middle is 240 + (m - 115.5) * 8/3.
    assert offset[1] + scale[1] * 116 == pytest.approx(240 + 0.5 * 8 / 3 - 0.5)
    assert plan.needed == (480, 270)  # 120 of 720 / 320


def test_a_camera_size_mask_is_the_camera_pixel_for_pixel() -> None:
    plan = geometry(CAMERA, (480, 352), crop="320,160,640,480", mask_size="camera")
    assert plan.mask_size == CAMERA and plan.mask_inner == plan.crop == (320, 160, 640, 480)
    assert plan.transform(CAMERA) == ((1, 1), (0, 0))
    # A picture of twice the size is the same picture: mask pixel 0 covers its pixels 0 and 1.
    assert plan.transform((2560, 1440)) == ((2, 2), (0.5, 0.5))
    assert plan.crop_of((2560, 1440)) == (640, 320, 1280, 960)
    assert plan.crop_of((640, 360)) == (160, 80, 320, 240)


@pytest.mark.parametrize("size", [(641, 361), (3, 2), (160, 90), (1281, 719)])
def test_the_crop_of_any_picture_lies_in_it(size: tuple[int, int]) -> None:
    for crop in ("", "8,8,1264,704", "1272,712,8,8", "0,0,8,8"):
        x, y, width, height = geometry(CAMERA, (480, 352), crop=crop).crop_of(size)
        assert x >= 0 and y >= 0 and width > 0 and height > 0
        assert x + width <= size[0] and y + height <= size[1]


def test_a_crop_is_moved_to_multiples_of_eight() -> None:
    assert geometry(CAMERA, (480, 352), crop="3,5,1000,601").crop == (0, 8, 1000, 600)
    # The last 4 of 1284 columns make no 8.
    assert geometry((1284, 720), (480, 352), crop="4,0,1280,720").crop == (8, 0, 1272, 720)


@pytest.mark.parametrize(
    ("crop", "complaint"),
    [
        ("1,2,3", "expected X,Y,W,H"),
        ("a,b,c,d", "expected X,Y,W,H"),
        ("-8,0,80,80", "expected X,Y,W,H"),
        ("0,0,0,80", "expected X,Y,W,H"),
        ("0,0,1288,720", "ends at 1288,720"),
        ("0,0,3,720", "at least 8 px"),
    ],
)
def test_a_crop_that_cannot_be_is_refused(crop: str, complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        geometry(CAMERA, (480, 352), crop=crop)


def test_unknown_words_are_refused() -> None:
    with pytest.raises(ConfigError, match="fit 'crop': expected stretch or letterbox"):
        geometry(CAMERA, (480, 352), fit="crop")
    with pytest.raises(ConfigError, match="mask size 'big': expected network or camera"):
        geometry(CAMERA, (480, 352), mask_size="big")


@pytest.mark.parametrize("layout", ["bgr", "grey", "yuyv", "nv12"])
@pytest.mark.usefixtures("level")
def test_preprocessing_of_a_crop_is_that_of_the_cropped_picture(layout: str) -> None:
    w, h, (x, y, width, height) = 160, 96, (24, 16, 104, 64)
    shape = {"bgr": (h, w, 3), "grey": (h, w), "yuyv": (h, w, 2), "nv12": (h // 2 * 3, w)}[layout]
    frame = np.random.default_rng(13).integers(0, 256, shape).astype(np.uint8)
    part = frame[y : y + height, x : x + width]
    if layout == "nv12":
        chroma = frame[h + y // 2 : h + (y + height) // 2, x : x + width]
        part = np.concatenate([part, chroma])
    out = np.empty((29, 51, 3), np.uint8)
    _native.PreprocessPlan((w, h), (51, 29), None, layout, (x, y, width, height)).run(frame, out)
    np.testing.assert_array_equal(out, kernels_reference.preprocess(part, (51, 29), layout=layout))


@pytest.mark.parametrize("dtype", [np.int8, np.float32])
@pytest.mark.parametrize(
    ("window", "size"),
    [((0, 0, 480, 352), (480, 352)), ((0, 116, 480, 120), (480, 120)),
     ((7, 3, 401, 300), (640, 99)), ((100, 50, 3, 5), (70, 33))],
)  # fmt: skip
@pytest.mark.usefixtures("level")
def test_masks_of_a_window_equal_the_reference(
    dtype: type, window: tuple[int, int, int, int], size: tuple[int, int]
) -> None:
    rng = np.random.default_rng(14)
    logits = cv2.resize(rng.normal(0, 40, (11, 15, 8)), (120, 88)).clip(-128, 127).astype(dtype)
    table = np.arange(8, dtype=np.uint8)
    plan = _native.UpsamplePlan((120, 88), 8, size, table, 1, None, 0, 1 / 16, (480, 352), window)
    canvas = np.full((size[1] + 2, size[0] + 5), 9, np.uint8)
    filled = plan.run(logits, canvas[1:-1, 2:-3])
    x, y, width, height = window
    mask, _, *expected_filled = kernels_reference.argmax_upsample(
        logits, size, table, columns=(x, width, 480), rows=(y, height, 352)
    )
    np.testing.assert_array_equal(canvas[1:-1, 2:-3], mask)
    assert filled == tuple(expected_filled)
    canvas[1:-1, 2:-3] = 9
    assert (canvas == 9).all()  # nothing was written around it
    ids = logits[..., 0].astype(np.int32) % 8
    nearest = np.empty((size[1], size[0]), np.uint8)
    _native.nearest_map(ids, nearest, table, (480, 352), window)
    expected, *_ = kernels_reference.nearest_map(
        ids, size, table, (x, width, 480), (y, height, 352)
    )
    np.testing.assert_array_equal(nearest, expected)


def masks(engine: Engine, plan: Geometry, image: np.ndarray) -> tuple[np.ndarray, list[int]]:
    pool, postprocess = TensorPool(engine, plan), Postprocess(engine, plan)
    prepared = pool.begin(Frame(image, 1, 0), True)
    prepared.finish()
    pool.feed(prepared)
    engine.invoke_direct()
    width, height = postprocess.mask_size
    mask = np.zeros((height, width), np.uint8)
    return mask, postprocess.into(mask)


@pytest.mark.parametrize("crop", ["", "160,200,960,400", "320,0,640,720"])
@pytest.mark.parametrize("fit", ["stretch", "letterbox"])
@pytest.mark.parametrize("mask_size", ["network", "camera"])
def test_mask_pixels_show_what_the_header_says(
    engine: Engine, crop: str, fit: str, mask_size: str
) -> None:
    """Against OpenCV: the crop resized and padded by hand, logits sampled at each mask pixel."""
    image = Town(5, *CAMERA).frame(40).image
    plan = geometry(CAMERA, engine.input_size, crop=crop, fit=fit, mask_size=mask_size)
    mask, counts = masks(engine, plan, image)
    assert sum(counts) == mask.size
    assert counts == kernels_reference.category_counts(mask)

    x, y, w, h = plan.crop
    inner = Rect(*plan.inner)
    assert (inner.width / inner.height == pytest.approx(w / h, rel=0.01)) or fit == "stretch"
    tensor = np.full(engine.input.shape, 128)
    area = cv2.resize(image[y : y + h, x : x + w], inner[2:], interpolation=cv2.INTER_AREA)
    rows, columns = slice(inner.y, inner.y + inner.height), slice(inner.x, inner.x + inner.width)
    tensor[rows, columns] = area[..., ::-1]
    assert np.abs(engine.direct_input.astype(int) + 128 - tensor).max() <= 1

    (scale, offset) = plan.transform(CAMERA)
    height, width = mask.shape
    camera_x = np.arange(width) * scale[0] + offset[0]
    camera_y = np.arange(height) * scale[1] + offset[1]
    # Camera pixel -> network pixel -> logit, at pixel centres.
    network_x = (camera_x + 0.5 - x) * inner.width / w + inner.x
    network_y = (camera_y + 0.5 - y) * inner.height / h + inner.y
    logits = engine.output.astype(np.float32)
    map_x, map_y = np.meshgrid(
        network_x * logits.shape[1] / tensor.shape[1] - 0.5,
        network_y * logits.shape[0] / tensor.shape[0] - 0.5,
    )
    sampled = np.stack(
        [
            cv2.remap(
                np.ascontiguousarray(logits[..., k]),
                map_x.astype(np.float32),
                map_y.astype(np.float32),
                cv2.INTER_LINEAR,
                borderMode=cv2.BORDER_REPLICATE,
            )
            for k in range(1, 8)
        ],
        -1,
    )
    expected = (sampled.argmax(-1) + 1).astype(np.uint8)
    inside_x = (camera_x > x - 0.5) & (camera_x < x + w - 0.5)
    inside_y = (camera_y > y - 0.5) & (camera_y < y + h - 0.5)
    inside = np.outer(inside_y, inside_x)
    assert (mask[~inside] == 0).all()  # void: the network saw nothing of it
    assert (mask[inside] != 0).all()
    assert np.mean(mask[inside] == expected[inside]) > 0.99


def test_a_float_network_is_letterboxed_too() -> None:
    """Preprocessing alone: the staging picture goes into the middle, the rest is grey."""

    class FloatEngine:
        input_size = (48, 32)
        pixels = from_limits(-1, 1)
        pixel_table = pixels.values()
        input_spec = type("spec", (), {"dtype": np.dtype(np.float32)})()

    plan = geometry((64, 64), (48, 32), fit="letterbox")
    assert plan.inner == (8, 0, 32, 32)
    preprocess = Preprocess(FloatEngine(), plan)  # type: ignore[arg-type]
    tensor = np.full((32, 48, 3), 9, np.float32)
    preprocess.pad(tensor)
    preprocess.into(np.full((64, 64, 3), 255, np.uint8), tensor)
    np.testing.assert_allclose(tensor[:, 8:40], 1, atol=1e-6)
    grey = np.concatenate([tensor[:, :8], tensor[:, 40:]], 1)
    np.testing.assert_allclose(grey, 128 / 127.5 - 1, atol=1e-6)


def test_the_stream_tells_how_to_map_the_mask(shipped_model: Path, tmp_path: Path) -> None:
    """Through the whole daemon, for both mask sizes: what the header says, what is void."""
    for mask_size in ("camera", "network"):
        config = DaemonConfig(
            source="synthetic:town?seed=1&width=640&height=360&prerender=4",
            model=str(shipped_model),
            socket=str(tmp_path / f"{mask_size}.sock"),
            crop="0,120,640,160",
            fit="letterbox",
            mask_size=mask_size,
            max_age_ms=5000,
        )
        with (
            daemon(config),
            Subscriber(config.socket, allow_not_live=True, max_age_ms=5000) as subscriber,
        ):
            mask = subscriber.receive(timeout_s=60)
            assert mask is not None, subscriber.reason_text
        plan = geometry(
            (640, 360), (288, 224), crop=config.crop, fit="letterbox", mask_size=mask_size
        )
        expected = plan.transform((640, 360))
        assert mask.camera_size == (640, 360) and mask.size == plan.mask_size
        assert mask.scale == pytest.approx(expected.scale)
        assert mask.offset == pytest.approx(expected.offset)
        x, y, width, height = plan.mask_inner
        shown = np.zeros(mask.pixels.shape, bool)
        shown[y : y + height, x : x + width] = True
        assert (mask.pixels[~shown] == 0).all() and (mask.pixels[shown] != 0).all()
        assert mask.shares[0] == pytest.approx(1 - shown.mean(), abs=1e-4)
