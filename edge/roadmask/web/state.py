"""What the routes share: one object, made at the start, found in ``app.state``."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends, Request

from roadmask.web.drives.library import Library
from roadmask.web.evaluations.jobs import Evaluations
from roadmask.web.live.gauges import StreamGauges
from roadmask.web.live.hub import LiveHub
from roadmask.web.metrics import Metrics
from roadmask.web.networks.registry import Networks
from roadmask.web.pictures.frames import Gallery
from roadmask.web.pictures.uploads import Admission
from roadmask.web.security.access import Access
from roadmask.web.settings import ServeConfig


@dataclass
class ServerState:
    """Parts of one server."""

    config: ServeConfig
    networks: Networks
    admission: Admission
    hub: LiveHub
    gallery: Gallery | None
    access: Access
    metrics: Metrics
    stream: StreamGauges = field(default_factory=StreamGauges, init=False)
    videos: int = field(default=0, init=False)
    evaluations: Evaluations = field(init=False)
    drives: Library = field(init=False)

    def __post_init__(self) -> None:
        self.evaluations = Evaluations(self.gallery, self.config.results)
        self.drives = Library(self.config.drives, self.config.limits.queue)


def _state(request: Request) -> ServerState:
    state: ServerState = request.app.state.server
    return state


State = Annotated[ServerState, Depends(_state)]
