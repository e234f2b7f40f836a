"""The kernels against their NumPy references, bit for bit, at every level that this CPU runs."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from roadmask import _native, kernels_reference

U8 = npt.NDArray[np.uint8]
EIGHT = np.arange(8, dtype=np.uint8)


@pytest.fixture(params=_native.kernel_levels())
def level(request: pytest.FixtureRequest) -> Iterator[str]:
    before = _native.kernel_level()
    _native.set_kernel_level(request.param)
    yield request.param
    _native.set_kernel_level(before)


def smooth_logits(
    rng: np.random.Generator, h: int, w: int, c: int, flat: int = 6
) -> npt.NDArray[np.int8]:
    """Logits as a network gives them: regions with one winner, edges between them, some ties."""
    coarse = rng.normal(0, 60, (h // flat + 2, w // flat + 2, c))
    fine = coarse.repeat(flat, 0).repeat(flat, 1)[:h, :w] + rng.normal(0, 4, (h, w, c))
    return np.clip(fine, -128, 127).astype(np.int8)


def check_upsample(
    logits: npt.NDArray[np.int8] | npt.NDArray[np.float32],
    size: tuple[int, int],
    table: U8,
    first: int,
    confidences: U8 | None = None,
    threshold: int = 0,
    step: float = 1 / 16,
) -> None:
    h, w, classes = logits.shape
    plan = _native.UpsamplePlan((w, h), classes, size, table, first, confidences, threshold, step)
    expected, confidence, counts = kernels_reference.argmax_upsample(
        logits, size, table, first, confidences, threshold, step
    )
    # Guard columns: a kernel that writes past a row is seen.
    mask = np.full((size[1], size[0] + 5), 77, np.uint8)
    assert plan.run(logits, mask[:, : size[0]]) == counts
    np.testing.assert_array_equal(mask[:, : size[0]], expected)
    assert (mask[:, size[0] :] == 77).all()
    if confidences is not None:
        plane = np.full_like(mask, 78)
        mask[:] = 77
        assert plan.run(logits, mask[:, : size[0]], plane[:, : size[0]]) == counts
        np.testing.assert_array_equal(mask[:, : size[0]], expected)
        np.testing.assert_array_equal(plane[:, : size[0]], confidence)
        assert (plane[:, size[0] :] == 78).all() and (mask[:, size[0] :] == 77).all()


SIZES = [
    # h, w, C, (W, H)
    (88, 120, 8, (480, 352)),
    (22, 30, 8, (160, 90)),
    (13, 17, 19, (52, 52)),
    (7, 50, 20, (333, 41)),
    (9, 300, 3, (640, 20)),  # column numbers over 255
    (5, 3, 2, (9, 31)),  # narrower than a vector
    (1, 1, 8, (40, 3)),
    (1, 40, 8, (70, 1)),
    (40, 1, 33, (33, 80)),
    (24, 70, 8, (70, 24)),  # same size
    (24, 70, 8, (95, 30)),  # over 16 columns of logits in a chunk
    (60, 90, 8, (31, 17)),  # smaller
    (33, 47, 40, (100, 64)),
]


@pytest.mark.parametrize(("h", "w", "c", "size"), SIZES)
@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.usefixtures("level")
def test_argmax_upsample_equals_reference(
    h: int, w: int, c: int, size: tuple[int, int], first: int
) -> None:
    rng = np.random.default_rng(h * w + c)
    table = rng.integers(0, 8, c).astype(np.uint8)
    noise = rng.integers(-128, 128, (h, w, c)).astype(np.int8)
    check_upsample(noise, size, table, first)
    check_upsample(smooth_logits(rng, h, w, c), size, table, first)


@pytest.mark.parametrize(("h", "w", "c", "size"), SIZES)
@pytest.mark.parametrize("threshold", [0, 200])
@pytest.mark.usefixtures("level")
def test_confidence_equals_reference(
    h: int, w: int, c: int, size: tuple[int, int], threshold: int
) -> None:
    rng = np.random.default_rng(h * w + c)
    table = rng.integers(0, 8, c).astype(np.uint8)
    confidences = kernels_reference.confidence_table(0.12)
    logits = smooth_logits(rng, h, w, c)
    check_upsample(logits, size, table, 0, confidences, threshold)
    # A table that neither saturates nor rises.
    check_upsample(logits, size, table, 1, rng.permutation(256).astype(np.uint8), threshold)


@pytest.mark.usefixtures("level")
def test_random_shapes_equal_reference() -> None:
    rng = np.random.default_rng(5)
    for _ in range(60):
        h, w, c = (int(n) for n in rng.integers((1, 1, 2), (30, 60, 24)))
        size = int(rng.integers(1, 200)), int(rng.integers(1, 80))
        table = rng.integers(0, 8, c).astype(np.uint8)
        confidences = kernels_reference.confidence_table(float(rng.uniform(0.02, 0.5)))
        logits = smooth_logits(rng, h, w, c, int(rng.integers(1, 9)))
        threshold = int(rng.choice([0, 130, 250, 255]))
        check_upsample(logits, size, table, int(rng.integers(0, c)), confidences, threshold)


@pytest.mark.parametrize("value", [-128, 0, 127])
@pytest.mark.usefixtures("level")
def test_all_classes_tied_gives_the_first(value: int) -> None:
    logits = np.full((9, 21, 8), value, np.int8)
    check_upsample(logits, (84, 36), EIGHT, 1, kernels_reference.confidence_table(0.1), 140)
    logits[4:, 10:, 5] = -value if value != -128 else 127
    check_upsample(logits, (84, 36), EIGHT, 1, kernels_reference.confidence_table(0.1))


@pytest.mark.usefixtures("level")
def test_extremes_side_by_side() -> None:
    rng = np.random.default_rng(1)
    logits = rng.choice(np.array([-128, 127], np.int8), (20, 33, 8))
    check_upsample(logits, (132, 80), EIGHT, 0, kernels_reference.confidence_table(0.01), 129)
    check_upsample(logits, (231, 140), EIGHT, 1)


@pytest.mark.usefixtures("level")
def test_factor_four_equals_opencv_and_argmax() -> None:
    logits = smooth_logits(np.random.default_rng(2), 88, 120, 8)
    plan = _native.UpsamplePlan((120, 88), 8, (480, 352), EIGHT, 0)
    mask = np.empty((352, 480), np.uint8)
    counts = plan.run(logits, mask)
    large = cv2.resize(logits.astype(np.float32), (480, 352), interpolation=cv2.INTER_LINEAR)
    np.testing.assert_array_equal(mask, np.argmax(large, 2))
    assert counts == np.bincount(mask.ravel(), minlength=8).tolist()


def test_camera_size_agrees_with_opencv() -> None:
    logits = smooth_logits(np.random.default_rng(3), 88, 120, 8, 12)
    plan = _native.UpsamplePlan((120, 88), 8, (1280, 720), EIGHT, 0)
    mask = np.empty((720, 1280), np.uint8)
    plan.run(logits, mask)
    large = cv2.resize(logits.astype(np.float32), (1280, 720), interpolation=cv2.INTER_LINEAR)
    # Sixteenths of a logit's pixel: an edge moves by a third of a camera pixel at most.
    assert (mask != np.argmax(large, 2)).mean() < 0.006


@pytest.mark.parametrize(("h", "w", "c", "size"), SIZES[:6] + SIZES[9:12])
@pytest.mark.parametrize("threshold", [0, 200])
def test_float_logits_equal_reference(
    h: int, w: int, c: int, size: tuple[int, int], threshold: int
) -> None:
    rng = np.random.default_rng(h + w)
    table = rng.integers(0, 8, c).astype(np.uint8)
    logits = rng.normal(0, 4, (h, w, c)).astype(np.float32)
    confidences = kernels_reference.confidence_table(0.05)
    check_upsample(logits, size, table, 0, confidences, threshold, 0.05)
    logits[rng.random(logits.shape) < 0.05] = np.nan
    logits[rng.random(logits.shape) < 0.02] = np.inf
    with np.errstate(invalid="ignore"):
        check_upsample(logits, size, table, c // 2, confidences, threshold, 0.05)


def test_confidence_table_is_the_softmax_of_two() -> None:
    table = kernels_reference.confidence_table(0.1)
    # 255 / (1 + e^0) = 127.5; 255 / (1 + e^-1) = 186.4; 255 / (1 + e^-25.5) = 255
    assert (table[0], table[10], table[255]) == (128, 186, 255)


def test_margin_ignores_classes_of_the_same_category() -> None:
    # car 100, truck 99, road 40: the rival of "vehicle" is "flat", 60 steps below.
    logits = np.array([[[100, 99, 40]]], np.int8)
    table = np.array([7, 7, 1], np.uint8)
    identity = np.arange(256, dtype=np.uint8)
    plan = _native.UpsamplePlan((1, 1), 3, (2, 2), table, 0, identity, 61)
    mask, confidence = np.empty((2, 2), np.uint8), np.empty((2, 2), np.uint8)
    assert plan.run(logits, mask, confidence) == [4, 0, 0, 0, 0, 0, 0, 0]
    assert (confidence == 60).all() and (mask == 0).all()


@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.int64])
@pytest.mark.parametrize("size", [(513, 513), (1280, 720), (100, 33), (3, 1)])
def test_nearest_map_equals_reference(dtype: type[np.int64], size: tuple[int, int]) -> None:
    rng = np.random.default_rng(4)
    ids = rng.integers(0, 25, (129, 257)).astype(dtype)
    if dtype != np.uint8:
        ids[5, 5:40] = -3
        ids[9, 1:90] = np.iinfo(dtype).max
    table = rng.integers(0, 8, 19).astype(np.uint8)
    mask = np.empty((size[1], size[0]), np.uint8)
    counts = _native.nearest_map(ids, mask, table)
    expected, expected_counts = kernels_reference.nearest_map(ids, size, table)
    np.testing.assert_array_equal(mask, expected)
    assert counts == expected_counts


PICTURES = [
    # source (w, h), target (w, h)
    ((1280, 720), (480, 352)),
    ((640, 480), (480, 352)),
    ((101, 67), (33, 29)),
    ((30, 20), (64, 48)),  # larger
    ((300, 40), (20, 80)),  # one axis shrinks, one grows
    ((1000, 701), (999, 700)),  # rows whose weight rounds to a whole pixel
    ((64, 48), (64, 48)),
    ((1920, 90), (37, 5)),  # many taps
    ((7, 5), (3, 2)),
    ((1, 1), (5, 4)),
    ((50, 50), (1, 1)),
]


@pytest.mark.parametrize(("source", "target"), PICTURES)
@pytest.mark.usefixtures("level")
def test_preprocess_bgr_equals_reference(source: tuple[int, int], target: tuple[int, int]) -> None:
    rng = np.random.default_rng(6)
    w, h = source
    frame = rng.integers(0, 256, (h + 3, w + 7, 3)).astype(np.uint8)
    frame[: h // 2, : w // 3] = 255
    region = frame[2 : 2 + h, 3 : 3 + w]  # rows are apart
    out = np.empty((target[1], target[0], 3), np.uint8)
    _native.PreprocessPlan(source, target).run(region, out)
    np.testing.assert_array_equal(out, kernels_reference.preprocess(region, target))
    table = rng.permutation(256).astype(np.uint8)
    _native.PreprocessPlan(source, target, table).run(region, out)
    np.testing.assert_array_equal(out, kernels_reference.preprocess(region, target, table))


@pytest.mark.parametrize("layout", ["grey", "yuyv", "nv12"])
@pytest.mark.parametrize(
    ("source", "target"), [((1280, 720), (480, 352)), ((62, 46), (80, 33)), ((640, 48), (37, 48))]
)
@pytest.mark.usefixtures("level")
def test_preprocess_of_camera_layouts_equals_reference(
    layout: str, source: tuple[int, int], target: tuple[int, int]
) -> None:
    w, h = source
    shape = {"grey": (h, w), "yuyv": (h, w, 2), "nv12": (h // 2 * 3, w)}[layout]
    frame = np.random.default_rng(7).integers(0, 256, shape).astype(np.uint8)
    out = np.empty((target[1], target[0], 3), np.int8)
    table = (np.arange(256) - 128).astype(np.int8).view(np.uint8)
    _native.PreprocessPlan(source, target, table, layout).run(frame, out)
    expected = kernels_reference.preprocess(frame, target, table, layout)
    np.testing.assert_array_equal(out.view(np.uint8), expected)


@pytest.mark.parametrize("target", [(480, 352), (640, 360), (512, 256), (213, 119)])
def test_preprocess_is_opencv_area_within_a_step(target: tuple[int, int]) -> None:
    rng = np.random.default_rng(8)
    frame = cv2.GaussianBlur(rng.integers(0, 256, (720, 1280, 3)).astype(np.uint8), (0, 0), 1.5)
    frame[:, ::16] = 255
    out = np.empty((target[1], target[0], 3), np.uint8)
    _native.PreprocessPlan((1280, 720), target).run(frame, out)
    area = cv2.cvtColor(cv2.resize(frame, target, interpolation=cv2.INTER_AREA), cv2.COLOR_BGR2RGB)
    difference = np.abs(out.astype(int) - area.astype(int))
    assert difference.max() <= 1 and difference.mean() < 0.1


@pytest.mark.parametrize("code", [cv2.COLOR_YUV2BGR_YUY2, cv2.COLOR_YUV2BGR_NV12])
def test_preprocess_yuv_has_opencv_colours(code: int) -> None:
    rng = np.random.default_rng(9)
    yuyv = code == cv2.COLOR_YUV2BGR_YUY2
    frame = np.empty((240, 320, 2) if yuyv else (360, 320), np.uint8)
    frame[:] = rng.integers(16, 236, frame.shape)
    blurred = np.empty_like(frame)
    if yuyv:
        blurred[..., 0] = cv2.blur(frame[..., 0], (9, 9))
        chroma = cv2.blur(frame[..., 1].reshape(240, 160, 2), (9, 9))
        blurred[..., 1] = chroma.reshape(240, 320)
    else:
        blurred[:240] = cv2.blur(frame[:240], (9, 9))
        blurred[240:] = cv2.blur(frame[240:].reshape(120, 160, 2), (9, 9)).reshape(120, 320)
    out = np.empty((120, 160, 3), np.uint8)
    plan = _native.PreprocessPlan((320, 240), (160, 120), None, "yuyv" if yuyv else "nv12")
    plan.run(blurred, out)
    bgr = cv2.resize(cv2.cvtColor(blurred, code), (160, 120), interpolation=cv2.INTER_AREA)
    difference = np.abs(out[..., ::-1].astype(int) - bgr.astype(int))
    assert difference.max() <= 3 and difference.mean() < 1


@pytest.mark.parametrize("size", [(480, 352), (1029, 3), (33, 20), (7, 2), (1, 1), (2049, 5)])
@pytest.mark.usefixtures("level")
def test_scene_stats_equal_reference(size: tuple[int, int]) -> None:
    rng = np.random.default_rng(10)
    rgb = rng.integers(0, 256, (size[1], size[0], 3)).astype(np.uint8)
    rgb[: size[1] // 2] = 255 * (rgb[: size[1] // 2] > 127)
    assert _native.scene_stats(rgb) == kernels_reference.scene_stats(rgb)
    rgb = np.where(rgb & 1, np.uint8(255), np.uint8(0))
    assert _native.scene_stats(rgb) == kernels_reference.scene_stats(rgb)


def test_scene_stats_of_flat_pictures() -> None:
    black, white = np.zeros((4, 6, 3), np.uint8), np.full((4, 6, 3), 255, np.uint8)
    assert _native.scene_stats(black)[:5] == (0.0, 0.0, 0.0, 1.0, 0.0)
    assert _native.scene_stats(white)[:5] == (255.0, 0.0, 0.0, 0.0, 1.0)
    # One pixel of luma 1: 4 there and -1 at three neighbours; the fourth is in the border.
    black[2, 3] = 1
    assert _native.scene_stats(black)[2] == (16 + 1 + 1 + 1) / 8


def test_content_hash_sees_order_and_length() -> None:
    a = np.random.default_rng(11).integers(0, 256, (20, 30, 3)).astype(np.uint8)
    swapped = a.copy()
    swapped[0, :8], swapped[0, 8:16] = a[0, 8:16], a[0, :8]
    longer = np.concatenate([a, np.zeros_like(a)])
    hashes = {_native.scene_stats(x)[5] for x in (a, swapped, longer, a[:, ::-1].copy())}
    assert len(hashes) == 4
    assert _native.scene_stats(a.copy())[5] == _native.scene_stats(a)[5]
