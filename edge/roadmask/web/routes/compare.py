"""Two networks on one picture: of this process, or one behind a peer's API."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Annotated

import numpy as np
from fastapi import APIRouter, Query, Request

from roadmask.arrays import U8
from roadmask.web.networks.local import Network, Picture, elapsed_ms
from roadmask.web.networks.outcome import Outcome
from roadmask.web.pictures.encode import data_uri, prediction
from roadmask.web.problems import describe
from roadmask.web.routes.gallery import links, shown_gallery
from roadmask.web.routes.predict import IMAGE_FORM, UPLOAD_PROBLEMS, files, truth_of, uploaded
from roadmask.web.schemas import Comparison, Prediction, TruthLabels
from roadmask.web.state import State

router = APIRouter(tags=["compare"])
Name = Annotated[str, Query(max_length=200, description="a name of GET /models")]


@router.post("/compare", openapi_extra=IMAGE_FORM, responses=UPLOAD_PROBLEMS)
async def compare(
    request: Request,
    state: State,
    a: Name,
    b: Name,
    truth_labels: TruthLabels = TruthLabels.CITYSCAPES_8,
) -> Comparison:
    """Segment ``image`` with both; score both where a ``truth`` is given."""
    networks = (state.networks.find(a), state.networks.find(b))
    async with uploaded(request, state, networks) as parts:
        limit = state.config.limits.pixels
        picture = Picture(files(parts, "image", 1)[0].data, max_pixels=limit)
        return await _compared(networks, picture, lambda: truth_of(parts, truth_labels, limit))


@router.get("/gallery/{frame_id}/compare", responses=describe(401, 404, 421, 422, 502, 503))
async def compare_frame(state: State, frame_id: str, a: Name, b: Name) -> Comparison:
    """The same on a frame of the gallery."""
    networks = (state.networks.find(a), state.networks.find(b))
    gallery = shown_gallery(state)
    place = gallery.place(frame_id)
    sample = await gallery.sample(frame_id)
    answer = await _compared(networks, Picture(array=sample.image), lambda: sample.mask)
    where = links(frame_id)
    answer.id, answer.image, answer.truth = where.id, where.image, where.truth
    answer.previous, answer.next = gallery.neighbour(place, -1), gallery.neighbour(place, 1)
    return answer


async def _compared(
    networks: tuple[Network, Network], picture: Picture, read_truth: Callable[[], U8 | None]
) -> Comparison:
    # One after the other: side by side they would slow each other, and latencies are compared.
    first, second = networks
    started = time.perf_counter()

    def finish_first(_: U8, outcome: Outcome) -> tuple[Prediction, U8, U8 | None]:
        truth = read_truth()
        return prediction(outcome, truth, elapsed_ms(started)), outcome.mask, truth

    a, mask, truth = await first.predict(picture, False, finish_first)
    began = time.perf_counter()

    def finish_second(_: U8, outcome: Outcome) -> Comparison:
        b = prediction(outcome, truth, elapsed_ms(began))
        differs = mask != outcome.mask
        return Comparison(
            a=a,
            b=b,
            agreement=float(1 - differs.mean()),
            difference=data_uri(differs.astype(np.uint8) * np.uint8(255)),
        )

    return await second.predict(picture, False, finish_second)
