"""``POST /predict/`` and ``POST /predict/batch``."""

from __future__ import annotations

import io
import logging
import time
import zipfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import PurePosixPath
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import JSONResponse

from roadmask.arrays import U8
from roadmask.errors import DataError, RoadmaskError
from roadmask.web.networks.local import Network, Picture, elapsed_ms
from roadmask.web.networks.outcome import Outcome
from roadmask.web.pictures.decode import is_turned
from roadmask.web.pictures.encode import picture_answer, png, prediction, read_truth
from roadmask.web.pictures.uploads import Part, announced_bytes, discard, read_form
from roadmask.web.problems import ProblemError, describe, problem_of
from roadmask.web.schemas import (
    Batch,
    BatchFormat,
    BatchItem,
    Format,
    Prediction,
    ProblemItem,
    TruthLabels,
)
from roadmask.web.state import ServerState, State

router = APIRouter(tags=["prediction"])
_log = logging.getLogger("roadmask.web")
UPLOAD_PROBLEMS = describe(400, 401, 403, 404, 408, 413, 415, 421, 422, 503)
ModelName = Annotated[str | None, Query(max_length=200, description="a name of GET /models")]


def form_schema(properties: dict[str, Any], required: Sequence[str]) -> dict[str, Any]:
    """The ``openapi_extra`` of a route that takes files."""
    schema = {"type": "object", "properties": properties, "required": list(required)}
    encoding = {name: {"contentType": "image/png, image/jpeg, image/webp"} for name in properties}
    content = {"multipart/form-data": {"schema": schema, "encoding": encoding}}
    return {"requestBody": {"required": True, "content": content}}


FILE = {"type": "string", "format": "binary"}
_FILES = {"type": "array", "items": FILE, "minItems": 1}
IMAGE_FORM = form_schema({"image": FILE, "truth": FILE}, ["image"])
_PNG: dict[str, Any] = {
    "image/png": {"schema": FILE},
    "application/octet-stream": {"schema": FILE},
}


@asynccontextmanager
async def uploaded(
    request: Request, state: ServerState, networks: Sequence[Network]
) -> AsyncIterator[list[Part]]:
    """The parts of the form, in memory that is accounted for while the block runs.

    Raises:
        ProblemError: refused; whatever the client still sends has been read.
    """
    try:
        for network in networks:
            network.check_room()
        size = announced_bytes(request, state.config.limits)
        with state.admission.hold(size) as take:
            yield await read_form(request, state.config.limits, take)
    except ProblemError as problem:
        if problem.status in (400, 413, 415, 503):
            await discard(request)
        raise


def files(parts: Sequence[Part], name: str, most: int) -> list[Part]:
    """The parts of that name, at least one.

    Raises:
        ProblemError: 422 none, 413 too many.
    """
    found = [part for part in parts if part.name == name]
    if not found:
        names = ", ".join(sorted({part.name[:40] for part in parts})) or "none"
        raise ProblemError(
            422, f"the form has no part {name!r} (it has: {names}): send the file there"
        )
    if len(found) > most:
        raise ProblemError(
            413, f"the form has {len(found)} parts {name!r}: at most {most} are taken"
        )
    return found


def truth_of(parts: Sequence[Part], labels: TruthLabels, max_pixels: int) -> U8 | None:
    """The truth that came with a picture, if any.

    Raises:
        DataError: not a mask, or of a picture that EXIF turns: whether it was, nobody can tell.
    """
    if not any(part.name == "truth" for part in parts):
        return None
    if is_turned(files(parts, "image", 1)[0].data):
        raise DataError(
            "the picture is turned by its EXIF block and its truth is not: save the picture as it "
            "is to be seen, without that block"
        )
    return read_truth(files(parts, "truth", 1)[0].data, labels.value, max_pixels)


@router.post(
    "/predict/",
    summary="The mask of a picture",
    openapi_extra=IMAGE_FORM,
    response_class=Response,
    responses={
        200: {
            "model": Prediction,
            "description": "The mask, in the form that was asked for",
            "content": _PNG,
        },
        **UPLOAD_PROBLEMS,
    },
)
@router.post("/predict", include_in_schema=False)
async def predict(
    request: Request,
    state: State,
    model: ModelName = None,
    format: Annotated[Format, Query(description="form of the answer")] = Format.PNG,
    confidence: Annotated[bool, Query(description="with the plane (json, npz)")] = False,
    opacity: Annotated[float, Query(ge=0, le=1, description="of the overlay")] = 0.5,
    truth_labels: TruthLabels = TruthLabels.CITYSCAPES_8,
) -> Response:
    """Segment the picture in ``image`` (PNG, JPEG or WebP).

    The answer is an 8-bit greyscale PNG of category ids at the picture's own size, the pixels that
    the daemon publishes with ``--mask-size camera``. With a ``truth`` and ``format=json`` the
    mask is scored.
    """
    network = state.networks.find(model)
    async with uploaded(request, state, [network]) as parts:
        started = time.perf_counter()
        limit = state.config.limits.pixels
        picture = Picture(files(parts, "image", 1)[0].data, max_pixels=limit)

        def finish(image: U8, outcome: Outcome) -> Response:
            if format != Format.JSON:
                return picture_answer(format, image, outcome, opacity)
            truth = truth_of(parts, truth_labels, limit)
            answer = prediction(outcome, truth, elapsed_ms(started))
            return JSONResponse(answer.model_dump())

        return await network.predict(picture, confidence, finish)


@router.post(
    "/predict/batch",
    summary="The masks of several pictures",
    openapi_extra=form_schema(
        {"image": {"type": "array", "items": FILE, "minItems": 1}}, ["image"]
    ),
    response_class=Response,
    responses={
        200: {
            "model": Batch,
            "description": "A ZIP of PNG masks, or JSON",
            "content": {"application/zip": {"schema": FILE}},
        },
        **UPLOAD_PROBLEMS,
    },
)
async def predict_batch(
    request: Request,
    state: State,
    model: ModelName = None,
    format: BatchFormat = BatchFormat.ZIP,
    confidence: bool = False,
) -> Response:
    """Segment every part ``image``; a picture that cannot be used does not spoil the others.

    The ZIP holds ``NNN-NAME.png`` for each mask and ``NNN-NAME.txt`` for each problem.
    """
    network = state.networks.find(model)
    async with uploaded(request, state, [network]) as parts:
        images = files(parts, "image", state.config.limits.batch)
        if format == BatchFormat.JSON:
            items = [await _item(state, network, part, confidence) for part in images]
            return JSONResponse(Batch(predictions=items).model_dump())
        return Response(await _zip(state, network, images), media_type="application/zip")


async def _item(state: ServerState, network: Network, part: Part, confidence: bool) -> BatchItem:
    started = time.perf_counter()

    def finish(_: U8, outcome: Outcome) -> Prediction:
        return prediction(outcome, None, elapsed_ms(started))

    name = (part.filename or "")[:200]
    picture = Picture(part.data, max_pixels=state.config.limits.pixels)
    try:
        return BatchItem(name=name, prediction=await network.predict(picture, confidence, finish))
    except Exception as error:  # whatever it is, the other pictures have their masks
        problem = _problem_of_one(error, name)
        return BatchItem(name=name, problem=ProblemItem.model_validate(problem.body))


def _problem_of_one(error: Exception, name: str) -> ProblemError:
    if isinstance(error, ProblemError):
        return error
    if isinstance(error, RoadmaskError):
        return problem_of(error)
    _log.error("picture %.80r of a batch failed", name, exc_info=error)
    return ProblemError(500, "the server failed on this picture; its log says how")


async def _zip(state: ServerState, network: Network, images: Sequence[Part]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:  # PNG is compressed already
        for number, part in enumerate(images):
            # The name is the sender's: only its last component, so that it unpacks in one folder.
            stem = PurePosixPath((part.filename or "image").replace("\\", "/")).stem[:100]
            stem = "".join(c if c.isprintable() else "_" for c in stem)  # a NUL would end it
            picture = Picture(part.data, max_pixels=state.config.limits.pixels)
            try:
                mask = await network.predict(picture, False, lambda _, o: png(o.mask))
                archive.writestr(f"{number:03d}-{stem}.png", mask)
            except Exception as error:  # as above
                problem = _problem_of_one(error, stem)
                archive.writestr(f"{number:03d}-{stem}.txt", f"{problem.detail}\n")
    return buffer.getvalue()
