"""The application: its parts put together, started and stopped."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from roadmask import __version__
from roadmask.web import about, compare, gallery, live, pages, predict
from roadmask.web.frames import open_gallery
from roadmask.web.live import LiveHub
from roadmask.web.models import known_scores, load_networks
from roadmask.web.peers import Peer
from roadmask.web.problems import install_handlers
from roadmask.web.registry import Registry
from roadmask.web.settings import ServeConfig, check_config
from roadmask.web.state import ServerState
from roadmask.web.uploads import Admission

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
        registry=Registry(networks, [Peer(address) for address in config.peers]),
        admission=Admission(config.limits),
        gallery=open_gallery(config),
        hub=LiveHub(config.socket, known_scores(networks), config.limits.viewers),
    )

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        await state.hub.close()
        await state.registry.close()
        if state.gallery is not None:
            state.gallery.worker.close()

    app = FastAPI(
        title="roadmask",
        version=__version__,
        description=_DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
    )
    app.state.server = state
    install_handlers(app)
    for part in (predict, gallery, compare, live, about, pages):
        app.include_router(part.router)
    pages.install_static(app)
    return app
