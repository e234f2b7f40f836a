"""From a predicted mask to what is sent: PNG, colours, overlay, NPZ, JSON, scores."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import cv2
import numpy as np
from fastapi import Response

from roadmask.arrays import U8
from roadmask.evaluation.metrics import ConfusionMatrix
from roadmask.imaging.encoding import encode_picture
from roadmask.imaging.index_png import png_kind
from roadmask.imaging.overlay import colours, overlay
from roadmask.labels.label_set import CATEGORY_COLORS_RGB, VOID
from roadmask.labels.lookup import label_set
from roadmask.web.networks.outcome import Outcome
from roadmask.web.pictures.decode import decode_index_picture, decode_picture
from roadmask.web.problems import ProblemError
from roadmask.web.schemas import Format, Prediction, Scores

# Little is to be gained from a mask by pressing harder, and it costs ten times as long.
_PNG_LEVEL = [cv2.IMWRITE_PNG_COMPRESSION, 1]

_STRIP_PX = 1 << 18
_COLOURED = ((8, 2), (8, 6))  # PNG of RGB and RGBA, 8 bits


def png(image: U8) -> bytes:
    """``(H, W)`` or ``(H, W, 3)`` BGR as PNG; raises DataError as ``encode_picture``."""
    return encode_picture(".png", image, _PNG_LEVEL)


def data_uri(image: U8) -> str:
    """The same as ``data:image/png;base64,…``."""
    return f"data:image/png;base64,{base64.b64encode(png(image)).decode()}"


def headers_of(outcome: Outcome) -> dict[str, str]:
    """What a picture's answer says beside its pixels."""
    height, width = outcome.mask.shape
    return {
        "X-Roadmask-Model": quote(outcome.model, safe=" @+"),  # a file may call itself anything
        "X-Roadmask-Invoke-Ms": f"{outcome.invoke_ms:.3f}",
        "X-Roadmask-Size": f"{width}x{height}",
    }


def picture_answer(form: Format, image: U8, outcome: Outcome, opacity: float) -> Response:
    """Every form but JSON; ``image`` is ``(H, W, 3) uint8`` BGR."""
    headers = headers_of(outcome)
    if form == Format.NPZ:
        return Response(_npz(outcome), 200, headers, "application/octet-stream")
    if form == Format.COLOR:
        drawn = colours(outcome.mask)
    elif form == Format.OVERLAY:
        drawn = overlay(image, outcome.mask, opacity, out=image)
    else:
        drawn = outcome.mask
    return Response(png(drawn), 200, headers, "image/png")


def prediction(outcome: Outcome, truth: U8 | None, total_ms: float) -> Prediction:
    """The JSON form, scored where there is a truth of the picture's size."""
    height, width = outcome.mask.shape
    plane = outcome.confidence
    return Prediction(
        model=outcome.model,
        digest=outcome.digest,
        size=(width, height),
        invoke_ms=round(outcome.invoke_ms, 3),
        total_ms=round(total_ms, 3),
        shares=outcome.shares,
        mask=data_uri(outcome.mask),
        confidence=None if plane is None else data_uri(plane),
        mean_confidence=None if plane is None else round(float(plane.mean()) / 255, 4),
        scores=None if truth is None else score(outcome.mask, truth),
    )


def score(mask: U8, truth: U8) -> Scores:
    """IoU, Dice and accuracy of one mask.

    Raises:
        ProblemError: 422, sizes differ.
    """
    if mask.shape != truth.shape:
        raise ProblemError(
            422,
            f"the truth is {truth.shape[1]}x{truth.shape[0]} px and its picture "
            f"{mask.shape[1]}x{mask.shape[0]}: they must be of one size",
        )
    matrix = ConfusionMatrix()
    matrix.update(truth, mask)
    report: dict[str, Any] = matrix.report()
    difference = np.where(mask == truth, 0, 255).astype(np.uint8)
    difference[truth == VOID] = 128
    return Scores(
        miou=report["miou"],
        iou=report["iou"],
        dice=report["dice"],
        pixel_accuracy=report["pixel_accuracy"],
        scored_pixels=int(np.count_nonzero(truth != VOID)),
        difference=data_uri(difference),
        truth=data_uri(truth),
    )


def read_truth(data: bytes | bytearray, labels: str, max_pixels: int) -> U8:
    """An uploaded truth as ``(H, W) uint8`` categories: ids of ``labels``, or our colours.

    Raises:
        DataError, ProblemError: no such picture.
    """
    if png_kind(data) in _COLOURED:
        return _from_colours(decode_picture(data, max_pixels))
    ids = decode_index_picture(data, max_pixels)
    known = label_set(labels)
    unknown = np.flatnonzero(np.bincount(ids.ravel(), minlength=256) * ~known.truth_ids)
    if unknown.size:
        raise ProblemError(
            422,
            f"the truth holds label id {unknown[0]}, which {labels} does not define: name its "
            "label set with truth_labels",
        )
    categories: U8 = known.truth_table[ids]
    return categories


def _from_colours(picture: U8) -> U8:
    def code(bgr: U8) -> np.ndarray[tuple[int, ...], np.dtype[np.int32]]:
        wide = bgr.astype(np.int32)
        return wide[..., 2] << 16 | wide[..., 1] << 8 | wide[..., 0]

    known = code(CATEGORY_COLORS_RGB[:, ::-1])
    order = np.argsort(known)
    categories = np.empty(picture.shape[:2], np.uint8)
    rows = max(1, _STRIP_PX // picture.shape[1])
    for top in range(0, len(picture), rows):  # whole it would take 30 bytes a pixel
        coded = code(picture[top : top + rows])
        places = order[np.searchsorted(known[order], coded).clip(max=len(order) - 1)]
        if np.any(known[places] != coded):
            raise ProblemError(
                422,
                "the truth is a colour picture with colours that are no category's: send an 8-bit "
                "greyscale PNG of class ids",
            )
        categories[top : top + rows] = places
    return categories


def _npz(outcome: Outcome) -> bytes:
    arrays: dict[str, np.ndarray[tuple[int, ...], np.dtype[np.uint8]]] = {"mask": outcome.mask}
    if outcome.confidence is not None:
        arrays["confidence"] = outcome.confidence
    texts: Mapping[str, object] = {"model": outcome.model, "digest": outcome.digest}
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays, **{k: np.array(v) for k, v in texts.items()})  # type: ignore[arg-type]
    return buffer.getvalue()
