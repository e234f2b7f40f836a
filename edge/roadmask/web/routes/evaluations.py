"""Evaluations of the whole split: begin, watch, cancel, and take the result."""

from __future__ import annotations

import asyncio
from enum import Enum
from urllib.parse import quote

from fastapi import APIRouter, Response

from roadmask.web.evaluations.export import as_csv, as_html, as_json
from roadmask.web.evaluations.schemas import Evaluation, JobInfo, Jobs, Wanted
from roadmask.web.problems import describe
from roadmask.web.small_body import SmallBodyRoute
from roadmask.web.state import State

router = APIRouter(
    prefix="/evaluations",
    tags=["evaluations"],
    responses=describe(401, 404, 421, 422, 503),
    route_class=SmallBodyRoute,
)


class ResultForm(str, Enum):
    """Form of a result."""

    JSON = "json"
    CSV = "csv"
    HTML = "html"


# The page brings its own styles, as it must stand alone where it is kept; nothing else may run.
_HTML_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
_WRITERS = {
    ResultForm.JSON: (as_json, "application/json"),
    ResultForm.CSV: (as_csv, "text/csv; charset=utf-8"),
    ResultForm.HTML: (as_html, "text/html; charset=utf-8"),
}


@router.get("")
async def evaluations(state: State) -> Jobs:
    """The evaluations of this server, and those that lie at --results."""
    folder = state.evaluations.folder
    where = None if folder is None else folder.location
    return Jobs(results=where, jobs=await state.evaluations.all())


@router.post("", status_code=202, responses=describe(400, 403, 408, 413))
async def evaluate(state: State, wanted: Wanted) -> JobInfo:
    """Begin to evaluate one network, or two, on every frame that the gallery shows."""
    names = [wanted.a] if wanted.b is None else [wanted.a, wanted.b]
    networks = [state.networks.find(name) for name in names]
    return state.evaluations.start(networks, wanted.masks)


@router.get("/{evaluation_id}")
async def evaluation(state: State, evaluation_id: str) -> JobInfo:
    """How far it is."""
    return await state.evaluations.info(evaluation_id)


@router.post("/{evaluation_id}/cancel", responses=describe(403))
async def cancel(state: State, evaluation_id: str) -> JobInfo:
    """End one that is under way."""
    return state.evaluations.cancel(evaluation_id)


@router.get(
    "/{evaluation_id}/result",
    response_class=Response,
    responses={
        200: {
            "model": Evaluation,
            "content": {
                "text/csv": {"schema": {"type": "string"}},
                "text/html": {"schema": {"type": "string"}},
            },
        }
    },
)
async def result(
    state: State, evaluation_id: str, format: ResultForm = ResultForm.JSON
) -> Response:
    """Its numbers, to look at or to keep."""
    found = await state.evaluations.result(evaluation_id)
    write, media_type = _WRITERS[format]
    # Not the id that stands in it: what is stored may call itself anything.
    file = quote(f"{evaluation_id}.{format.value}", safe="")
    headers = {"Content-Disposition": f"inline; filename*=UTF-8''{file}"}
    if format == ResultForm.HTML:
        headers["Content-Security-Policy"] = _HTML_POLICY
    # In a thread: of a large split it takes a second.
    return Response(await asyncio.to_thread(write, found), 200, headers, media_type)
