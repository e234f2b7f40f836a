"""The frames of a data set: their list, pictures and truths, and what a network makes of them."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Annotated, Any
from urllib.parse import quote

import cv2
from fastapi import APIRouter, Query, Response

from roadmask.arrays import U8
from roadmask.imaging.encoding import encode_picture
from roadmask.imaging.nearest import nearest
from roadmask.imaging.overlay import colours
from roadmask.web.networks.local import Picture, elapsed_ms
from roadmask.web.networks.outcome import Outcome
from roadmask.web.pictures.encode import png, prediction
from roadmask.web.pictures.frames import Gallery
from roadmask.web.problems import ProblemError, describe
from roadmask.web.routes.predict import ModelName
from roadmask.web.schemas import (
    GalleryItem,
    GalleryPage,
    GalleryPrediction,
    TruthForm,
)
from roadmask.web.state import State

_JPEG = [cv2.IMWRITE_JPEG_QUALITY, 85]
router = APIRouter(prefix="/gallery", tags=["gallery"], responses=describe(401, 404, 421, 422, 503))
_FILE = {"schema": {"type": "string", "format": "binary"}}
FRAME_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {"content": {"image/png": _FILE, "image/jpeg": _FILE}}
}
Width = Annotated[int | None, Query(ge=16, le=4096, description="of a smaller picture, px")]


def shown_gallery(state: State) -> Gallery:
    """The server's gallery.

    Raises:
        ProblemError: 404, it has none.
    """
    if state.gallery is None:
        raise ProblemError(404, "no data set is shown here: start the server with --dataset NAME")
    return state.gallery


def links(frame_id: str) -> GalleryItem:
    """Where a frame's pictures are."""
    here = f"/gallery/{quote(frame_id, safe='')}"
    return GalleryItem(id=frame_id, image=f"{here}/image", truth=f"{here}/truth")


@router.get("")
async def listing(
    state: State,
    query: Annotated[str, Query(max_length=200, description="part of an id")] = "",
    offset: Annotated[int, Query(ge=0, le=10_000_000)] = 0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> GalleryPage:
    """The ids of the frames, in the data set's order."""
    gallery = shown_gallery(state)
    wanted = query.lower()
    matching = [frame_id for frame_id in gallery.dataset.ids if wanted in frame_id.lower()]
    return GalleryPage(
        dataset=gallery.dataset.name,
        split=gallery.split,
        total=len(gallery.dataset.ids),
        matching=len(matching),
        offset=offset,
        items=[links(frame_id) for frame_id in matching[offset : offset + limit]],
    )


@router.get("/{frame_id}")
async def frame(
    state: State, frame_id: str, model: ModelName = None, confidence: bool = False
) -> GalleryPrediction:
    """What the network makes of the frame, scored against its truth."""
    gallery = shown_gallery(state)
    network = state.networks.find(model)
    place = gallery.place(frame_id)
    started = time.perf_counter()
    sample = await gallery.sample(frame_id)

    def finish(_: U8, outcome: Outcome) -> GalleryPrediction:
        answer = prediction(outcome, sample.mask, elapsed_ms(started))
        return GalleryPrediction(
            **answer.model_dump(),
            **links(frame_id).model_dump(),
            previous=gallery.neighbour(place, -1),
            next=gallery.neighbour(place, 1),
        )

    return await network.predict(Picture(array=sample.image), confidence, finish)


@router.get("/{frame_id}/image", response_class=Response, responses=FRAME_RESPONSES)
async def image(state: State, frame_id: str, width: Width = None) -> Response:
    """The frame itself: PNG, or a smaller JPEG where a width is given."""
    gallery = shown_gallery(state)
    pixels = (await gallery.sample(frame_id)).image
    if width is None:
        return await _sent(gallery, lambda: png(pixels), "image/png")

    def encode() -> bytes:
        size = _smaller(pixels, width)
        small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
        return encode_picture(".jpg", small, _JPEG)

    return await _sent(gallery, encode, "image/jpeg")


@router.get("/{frame_id}/truth", response_class=Response, responses=FRAME_RESPONSES)
async def truth(
    state: State, frame_id: str, format: TruthForm = TruthForm.PNG, width: Width = None
) -> Response:
    """The frame's true mask: category ids, or their colours."""
    gallery = shown_gallery(state)
    mask = (await gallery.sample(frame_id)).mask

    def encode() -> bytes:
        small = mask if width is None else nearest(mask, _smaller(mask, width))
        return png(colours(small) if format == TruthForm.COLOR else small)

    return await _sent(gallery, encode, "image/png")


async def _sent(gallery: Gallery, encode: Callable[[], bytes], media_type: str) -> Response:
    headers = {"Cache-Control": "private, max-age=600"}  # a frame of a data set does not change
    return Response(await gallery.worker.run(encode), 200, headers, media_type)


def _smaller(picture: U8, width: int) -> tuple[int, int]:
    height, whole = picture.shape[:2]
    return min(width, whole), max(1, round(height * min(width, whole) / whole))
