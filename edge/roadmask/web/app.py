"""The application: its parts put together, started and stopped."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from roadmask import __version__
from roadmask.web import about, pages, predict
from roadmask.web.models import Registry, load_networks
from roadmask.web.problems import install_handlers
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
    state = ServerState(config, Registry(load_networks(config)), Admission(config.limits))

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        state.registry.close()

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
    for router in (predict.router, about.router, pages.router):
        app.include_router(router)
    pages.install_static(app)
    return app
