"""The application: its parts put together, started and stopped."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import partial

from fastapi import FastAPI

from roadmask import __version__
from roadmask.web.description import install_description
from roadmask.web.live import route as live
from roadmask.web.live.hub import LiveHub
from roadmask.web.metrics import Measure, Metrics
from roadmask.web.networks.local import LocalNetwork, known_scores, load_networks
from roadmask.web.networks.peers import Peer
from roadmask.web.networks.registry import Networks
from roadmask.web.pictures.frames import open_gallery
from roadmask.web.pictures.uploads import Admission
from roadmask.web.problems import CutOff, install_handlers
from roadmask.web.routes import (
    about,
    compare,
    drives,
    evaluations,
    gallery,
    login,
    pages,
    predict,
    video,
)
from roadmask.web.security.access import Access
from roadmask.web.security.guard import Guard, HeadAsGet
from roadmask.web.settings import ServeConfig, check_config
from roadmask.web.state import ServerState

_DESCRIPTION = (
    "Driving pictures in, masks of Cityscapes' eight categories out. Errors are "
    "application/problem+json with one sentence in `detail`."
)


def create_app(config: ServeConfig) -> FastAPI:
    """The application, with its networks loaded.

    Raises:
        ConfigError, ModelError, DataError: something that was given cannot be used.
    """
    check_config(config)
    networks = load_networks(config)
    state = ServerState(
        config=config,
        networks=Networks(networks, [Peer(address) for address in config.peers]),
        admission=Admission(config.limits),
        gallery=open_gallery(config),
        hub=LiveHub(config.socket, known_scores(networks), config.limits.viewers),
        access=Access(config),
        metrics=Metrics(),
    )
    _watch(state, networks)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        await state.hub.close()
        await state.evaluations.close()
        state.drives.close()
        await state.networks.close()
        if state.gallery is not None:
            state.gallery.worker.close()

    app = FastAPI(
        title="roadmask",
        version=__version__,
        description=_DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
        generate_unique_id_function=lambda route: route.name,  # what clients call it
    )
    app.state.server = state
    install_handlers(app)
    for part in (predict, video, gallery, compare, evaluations, drives, live, about, login, pages):
        app.include_router(part.router)
    pages.install_static(app)
    install_description(app, state.access.needs_token)
    app.add_middleware(CutOff)
    app.add_middleware(Guard, access=state.access)
    app.add_middleware(Measure, metrics=state.metrics)  # the last one added is the first one asked
    app.add_middleware(HeadAsGet)
    return app


def _watch(state: ServerState, networks: Mapping[str, LocalNetwork]) -> None:
    watch = state.metrics.watch
    state.metrics.registry.register(state.stream)
    watch("roadmask_upload_bytes", "Bodies held", lambda: state.admission.held)
    watch("roadmask_viewers", "Viewers of the live page", lambda: len(state.hub.viewers))
    watch("roadmask_live_frames", "Frames encoded for them", lambda: state.hub.encoded)
    state.metrics.watch_queues(
        {name: partial(getattr, network.worker, "pending") for name, network in networks.items()}
    )
