"""What the native kernels compute, in NumPy: every SIMD path equals it bit for bit.

Tests and ``roadmask doctor`` compare the kernels with these functions; the daemon never runs them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from roadmask.arrays import I32, I64, U8
from roadmask.labels.label_set import UNKNOWN

LOGIT_STEPS = 16  # bilinear weights in sixteenths: 8-bit logits x 16 x 16 fill an int16 exactly
ROW_WEIGHT = 256  # weights of a picture's rows: 8-bit pixels x 256 fill a uint16 exactly
COLUMN_WEIGHT = 16384  # weights of its columns: the product then fits an int32
STEADY_STEPS = 128  # of the temporal filter's state, to one of the logits: it fills an int16
STEADY_WHOLE = 32768  # of its weights


def bilinear_positions(
    source: int, target: int, steps: int = LOGIT_STEPS, window: tuple[int, int, int] = (0, 1, 1)
) -> tuple[I64, I64]:
    """Lower neighbour and weight (in ``1 / steps``) of the upper one, for half-pixel centres.

    ``window``: the target shows ``length`` from ``begin`` of ``total`` px that the source covers.
    """
    x = np.arange(target, dtype=np.int64)
    begin, length, total = window
    edge = (2 * target * begin + (2 * x + 1) * length) * source
    half = target * total
    position = (steps * (edge - half) + half) // (2 * half)
    position = np.clip(position, 0, steps * (source - 1))
    return position // steps, position % steps


def _blend(
    rows: npt.NDArray[np.generic], axis: int, target: int, window: tuple[int, int, int]
) -> npt.NDArray[np.generic]:
    lower, weight = bilinear_positions(rows.shape[axis], target, window=window)
    upper = np.minimum(lower + 1, rows.shape[axis] - 1)
    shape = [1] * rows.ndim
    shape[axis] = target
    w = weight.reshape(shape).astype(rows.dtype)
    a, b = rows.take(lower, axis), rows.take(upper, axis)
    blended: npt.NDArray[np.generic] = (rows.dtype.type(LOGIT_STEPS) - w) * a + w * b
    return blended


def argmax_upsample(
    logits: npt.NDArray[np.int8] | npt.NDArray[np.float32],
    size: tuple[int, int],
    table: U8,
    first: int = 1,
    confidence_table: U8 | None = None,
    threshold: int = 0,
    step: float = 1 / 16,
    columns: tuple[int, int, int] = (0, 1, 1),
    rows: tuple[int, int, int] = (0, 1, 1),
    scores: str = "logits",
) -> tuple[U8, U8, list[int], int]:
    """Bilinear upsampling, argmax over the classes from ``first``, and the map to categories.

    A pixel is void, without confidence, where a class is NaN or infinite, or where one wins that
    the label set does not have.

    Args:
        logits: ``(h, w, C)`` int8 or float32.
        size: width and height of the mask.
        table: ``(C,) uint8`` class → category or another id to show, 255 ``UNKNOWN``.
        first: first class that competes; of equal ones the lowest wins.
        confidence_table: ``(256,) uint8`` level → confidence. The level is the margin to the best
            class of another category, in whole logit steps (of ``step``, for float logits); of
            probabilities, 255 x the winner's share of itself and its rival, of a sigmoid at most
            its own probability.
        threshold: a pixel with less confidence becomes 0.
        columns, rows: the part of the network's input that the mask shows, see
            ``bilinear_positions``.
        scores: ``logits``, or probabilities by ``softmax`` or ``sigmoid``, in units of ``step``.

    Returns:
        mask ``(H, W)``, confidence ``(H, W)`` (zeros without a table), pixels per category (8),
        pixels where nothing is known.
    """
    width, height = size
    whole = logits.astype(np.int32 if logits.dtype == np.int8 else np.float32)
    blended_rows = _blend(whole, 1, width, columns)
    blended = _blend(blended_rows, 0, height, rows)
    best = blended[..., first].copy()
    category = np.full((height, width), table[first], np.uint8)
    lowest = -32768 if logits.dtype == np.int8 else np.float32(-np.inf)
    rival = np.full_like(best, lowest)
    for k in range(first + 1, logits.shape[2]):
        value = blended[..., k]
        # np.where, not np.maximum: a NaN never wins and never spreads, as in the kernel.
        loser = np.where(value > best, best, value)
        other = category != table[k]
        rival = np.where(other & (loser > rival), loser, rival)
        category = np.where(value > best, table[k], category)
        best = np.where(value > best, value, best)
    confidence = np.zeros((height, width), np.uint8)
    if confidence_table is not None:
        if scores == "logits":
            level: npt.NDArray[Any] = _margin(best, rival, step)
        else:
            level = _share(best, rival, step, scores == "sigmoid")
        confidence = confidence_table[level]
        if threshold > 0:
            category = np.where(confidence < threshold, np.uint8(0), category)
    unknown = (category == UNKNOWN) | _odd(blended_rows, height, rows)
    category = np.where(unknown, np.uint8(0), category)
    confidence = np.where(unknown, np.uint8(0), confidence)
    return category, confidence, category_counts(category), int(unknown.sum())


def _odd(blended_rows: npt.NDArray[np.generic], height: int, rows: tuple[int, int, int]) -> Any:
    """Where a class is NaN, infinite, or so large that a blend of the two rows may be."""
    with np.errstate(over="ignore"):
        odd = ~np.isfinite(blended_rows.dtype.type(LOGIT_STEPS) * blended_rows).all(2)
    lower, _ = bilinear_positions(len(odd), height, window=rows)
    return odd[lower] | odd[np.minimum(lower + 1, len(odd) - 1)]


def _share(
    best: npt.NDArray[np.generic], rival: npt.NDArray[np.generic], step: float, sigmoid: bool
) -> U8:
    top, second = best.astype(np.float32), rival.astype(np.float32)
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        whole = top + np.where(second > 0, second, np.float32(0))
        one = np.float32(256) / np.float32(step)
        if sigmoid:
            whole = np.where(whole < one, one, whole)
        share = top / whole
        scaled = np.float32(255) * np.where(share < 1, share, np.float32(1)) + np.float32(0.5)
        confidence: U8 = np.where(share > 0, scaled, np.float32(0)).astype(np.uint8)
    return confidence


def _margin(
    best: npt.NDArray[np.generic], rival: npt.NDArray[np.generic], step: float
) -> npt.NDArray[np.intp]:
    if best.dtype == np.int32:
        return ((best.astype(np.int64) - rival.astype(np.int64)) >> 8).astype(np.intp)
    with np.errstate(invalid="ignore"):
        scaled = (best.astype(np.float32) - rival.astype(np.float32)) * np.float32(1 / (256 * step))
    return np.where(scaled >= 255, 255, np.where(scaled > 0, scaled, 0)).astype(np.intp)


def steady(
    logits: npt.NDArray[np.int8],
    state: I32 | None,
    guarded: U8,
    first: int,
    weight: int,
    limit: int,
) -> tuple[npt.NDArray[np.int8], I32]:
    """Logits blended with those before where they hardly differ; halves are rounded up.

    The state's weight falls from ``weight`` where no class differs to 0 where one differs by
    ``limit``. Guarded classes stay as they are and no other is raised, so a pixel that the new
    logits claim for a guarded one stays, at any size that they are interpolated to.

    Args:
        logits: ``(h, w, C)`` int8.
        state: what was returned for the frame before, or None.
        guarded: ``(C,) uint8``: 1 for a guarded class.
        first: first class that competes; those before it pass as they are.
        weight: in ``1 / STEADY_WHOLE``.
        limit: logit steps.

    Returns:
        logits ``(h, w, C)`` int8, and the state ``(h, w, C)`` in ``1 / STEADY_STEPS`` of a step.
    """
    now = logits.astype(np.int32)
    scaled = now * STEADY_STEPS
    change = np.zeros_like(scaled) if state is None else scaled - state
    far = np.abs(change[..., first:]).max(2, keepdims=True)
    most = limit * STEADY_STEPS
    left = np.maximum(most - far, 0)
    kept = (left * (weight * STEADY_WHOLE // most)) >> 15
    state = scaled - ((change * kept + STEADY_WHOLE // 2) >> 15)
    blended = (state + STEADY_STEPS // 2) >> 7

    guards = guarded[first:].astype(bool)
    new, old = now[..., first:], blended[..., first:]
    none = np.full((*logits.shape[:2], 1), -1000, np.int32)  # below all, where there is no class
    others, others_now = (np.concatenate([none, a[..., ~guards]], 2) for a in (old, new))
    best = others.max(2, keepdims=True)
    best_now = np.take_along_axis(others_now, others.argmax(2)[..., None], 2)
    guard_now = np.concatenate([none, new[..., guards]], 2).max(2, keepdims=True)
    lower = np.maximum(best - best_now, 0)
    filtered = np.where(guards, new, np.minimum(new, np.maximum(old - lower, -128)))
    out = logits.copy()
    out[..., first:] = np.where(guard_now > np.minimum(best, best_now), new, filtered)
    return out, state


def category_counts(mask: U8) -> list[int]:
    """Pixels of each of the 8 categories; what is none of them counts as void."""
    return [int(n) for n in np.bincount(np.where(mask < 8, mask, 0).reshape(-1), minlength=8)]


def nearest_map(
    ids: U8 | npt.NDArray[np.int32] | I64,
    size: tuple[int, int],
    table: U8,
    columns: tuple[int, int, int] = (0, 1, 1),
    rows: tuple[int, int, int] = (0, 1, 1),
) -> tuple[U8, list[int], int]:
    """Class ids ``(h, w)`` → category mask of another size, nearest neighbour.

    Ids outside ``table``, or ``UNKNOWN`` in it, become void; the last of what is returned counts
    their pixels.
    """

    def nearest(source: int, target: int, window: tuple[int, int, int]) -> I64:
        begin, length, total = window
        centre = (
            2 * target * begin + (2 * np.arange(target, dtype=np.int64) + 1) * length
        ) * source
        picked: I64 = centre // (2 * target * total)
        return picked

    width, height = size
    picked = ids[nearest(ids.shape[0], height, rows)][:, nearest(ids.shape[1], width, columns)]
    picked = picked.astype(np.int64)
    known = (picked >= 0) & (picked < len(table))
    mask = np.where(known, table[np.where(known, picked, 0)], UNKNOWN).astype(np.uint8)
    unknown = mask == UNKNOWN
    mask[unknown] = 0
    return mask, category_counts(mask), int(unknown.sum())


def axis_taps(source: int, target: int, total: int) -> tuple[I64, I64]:
    """First source pixel ``(target,)`` and weights ``(target, taps)`` of one axis.

    Weights of a target pixel sum to ``total``. Where the axis shrinks, it is the mean of the source
    it covers (OpenCV's INTER_AREA): coverage is counted in ``1 / target`` pixels and its running
    sum is rounded, so that rounding never changes the total. Where it grows, half-pixel bilinear.
    """
    if target >= source:
        lower, weight = bilinear_positions(source, target, total)
        return lower, np.stack([total - weight, weight], 1)
    j = np.arange(target, dtype=np.int64)
    first = j * source // target
    taps = int((-(-(j + 1) * source // target) - first).max())
    edges = (first[:, None] + np.arange(taps) + 1) * target - (j * source)[:, None]
    running = (total * np.clip(edges, 0, source) + source // 2) // source
    return first, np.diff(running, prepend=0)


def _filter(samples: I32, axis: int, target: int, total: int) -> I32:
    first, weights = axis_taps(samples.shape[axis], target, total)
    shape = [1] * samples.ndim
    shape[axis] = target
    result = np.zeros((*samples.shape[:axis], target, *samples.shape[axis + 1 :]), np.int32)
    for t in range(weights.shape[1]):
        # A tap over the end has no weight.
        picked = samples.take(np.minimum(first + t, samples.shape[axis] - 1), axis)
        result += weights[:, t].astype(np.int32).reshape(shape) * picked
    return result


def resize(planes: U8, size: tuple[int, int]) -> U8:
    """``(h, w, n) uint8`` → ``(H, W, n)``: area filter or bilinear by axis, in fixed point."""
    width, height = size
    sums = _filter(planes.astype(np.int32), 0, height, ROW_WEIGHT)
    sums = _filter(sums, 1, width, COLUMN_WEIGHT)
    resized: U8 = ((sums + (1 << 21)) >> 22).astype(np.uint8)
    return resized


def preprocess(
    source: U8, size: tuple[int, int], table: U8 | None = None, layout: str = "bgr"
) -> U8:
    """Camera picture → the network's ``(H, W, 3)`` RGB input, ``table`` applied last.

    Args:
        source: ``bgr`` ``(h, w, 3)``, ``grey`` ``(h, w)``, ``yuyv`` ``(h, w, 2)``, ``nv12``
            ``(h * 3 / 2, w)``; YUV is BT.601, limited range, as OpenCV takes it.
        size: width and height of the result.
    """
    if layout == "bgr":
        rgb = resize(source, size)[..., ::-1]
    elif layout == "grey":
        rgb = np.repeat(resize(source[..., None], size), 3, axis=2)
    else:
        rgb = _yuv_to_rgb(*_yuv_planes(source, size, layout))
    result: U8 = np.ascontiguousarray(rgb if table is None else table[rgb])
    return result


def _yuv_planes(source: U8, size: tuple[int, int], layout: str) -> tuple[U8, U8]:
    if layout == "yuyv":
        luma, chroma = source[..., 0], source[..., 1].reshape(source.shape[0], -1, 2)
    else:
        height = source.shape[0] * 2 // 3
        luma, chroma = source[:height], source[height:].reshape(height // 2, -1, 2)
    return resize(luma[..., None], size)[..., 0], resize(chroma, size)


def _yuv_to_rgb(luma: U8, chroma: U8) -> U8:
    """BT.601, limited range: OpenCV's factors, in 1 / 2^13."""
    y = np.maximum(luma.astype(np.int32) - 16, 0) * 9535 + 4096
    u, v = chroma[..., 0].astype(np.int32) - 128, chroma[..., 1].astype(np.int32) - 128
    rgb = np.stack([y + 13074 * v, y - 3203 * u - 6660 * v, y + 16531 * u], -1) >> 13
    clipped: U8 = np.clip(rgb, 0, 255).astype(np.uint8)
    return clipped


def overlay(bgr: U8, mask: U8, palette_bgr: U8, alpha: int) -> U8:
    """``palette_bgr`` ``(256, 3)`` by ``mask`` over ``bgr``; alpha 255 hides the frame."""
    weight = 256 if alpha == 255 else alpha
    mixed = bgr.astype(np.uint32) * (256 - weight) + palette_bgr[mask].astype(np.uint32) * weight
    result: U8 = ((mixed + 128) >> 8).astype(np.uint8)
    return result


def scene_stats(rgb: U8) -> tuple[float, float, float, float, float, int]:
    """Luma mean and variance, Laplacian energy, dark and bright fraction, content hash."""
    r, g, b = (rgb[..., i].astype(np.int64) for i in range(3))
    luma = (77 * r + 150 * g + 29 * b + 128) >> 8
    mean = int(luma.sum()) / luma.size
    inner = luma[1:-1, 1:-1]
    edges = 4 * inner - luma[1:-1, :-2] - luma[1:-1, 2:] - luma[:-2, 1:-1] - luma[2:, 1:-1]
    return (
        mean,
        int((luma * luma).sum()) / luma.size - mean * mean,
        int((edges * edges).sum()) / inner.size if inner.size else 0.0,
        int((luma < 16).sum()) / luma.size,
        int((luma > 240).sum()) / luma.size,
        _content_hash(rgb),
    )


def _content_hash(rgb: U8) -> int:
    data = rgb.tobytes()
    whole = len(data) // 8 * 8
    words = np.frombuffer(data[:whole], "<u8")
    mixed = words + np.arange(len(words), dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    mixed ^= mixed >> np.uint64(32)
    total = int((mixed * np.uint64(0xD6E8FEB86659FD93)).sum(dtype=np.uint64))
    tail = int.from_bytes(data[whole:], "little")
    return ((total ^ tail) + len(data)) % 2**64
