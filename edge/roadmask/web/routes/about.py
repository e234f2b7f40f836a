"""What the server is and has: models, labels, health, the pages' settings."""

from __future__ import annotations

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from roadmask import __version__
from roadmask.labels.catalogue import CITYSCAPES_8
from roadmask.labels.label_set import CATEGORY_COLORS_RGB, CATEGORY_NAMES
from roadmask.web.problems import busy, describe
from roadmask.web.schemas import (
    Config,
    Format,
    Label,
    Labels,
    Models,
    Status,
    TruthLabels,
)
from roadmask.web.state import State

router = APIRouter(tags=["about"], responses=describe(401, 421))


@router.get("/models")
async def models(state: State) -> Models:
    """The networks that can be asked for, with their scores."""
    return Models(default=state.networks.default, models=await state.networks.describe())


@router.get("/labels")
async def labels() -> Labels:
    """The eight categories: ids of the mask's pixels, names, colours (RGB)."""
    return Labels(
        name=CITYSCAPES_8.name,
        labels=[
            Label(id=i, name=name, color=(int(r), int(g), int(b)), css=f"#{r:02x}{g:02x}{b:02x}")
            for i, (name, (r, g, b)) in enumerate(
                zip(CATEGORY_NAMES, CATEGORY_COLORS_RGB, strict=True)
            )
        ],
    )


@router.get("/healthz")
async def healthz() -> Status:
    """The process runs."""
    return Status(status="ok")


@router.get("/readyz", responses=describe(503))
async def readyz(state: State) -> Status:
    """The networks are loaded and get on: predictions are taken."""
    if (why := state.networks.stuck) is not None:
        raise busy(why, 5)
    return Status(status="ready")


@router.get("/config")
async def config(state: State) -> Config:
    """What the pages draw themselves from."""
    config = state.config
    return Config(
        version=__version__,
        live=bool(config.socket),
        socket=config.socket,
        gallery=None if state.gallery is None else state.gallery.info,
        limits={
            "upload_bytes": config.limits.upload_bytes,
            "pixels": config.limits.pixels,
            "batch": config.limits.batch,
        },
        login=bool(config.token),
        formats=[form.value for form in Format],
        truth_labels=[labels.value for labels in TruthLabels],
    )


@router.get(
    "/metrics",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
)
async def metrics(state: State) -> Response:
    """Counters and gauges for Prometheus, those of the stream among them."""
    state.stream.status = await state.hub.status()
    return Response(generate_latest(state.metrics.registry), media_type=CONTENT_TYPE_LATEST)
