"""What the server did, as Prometheus counts it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_BUCKETS_S = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30)


class Metrics:
    """The counters of one server; ``registry`` holds them."""

    def __init__(self) -> None:
        here = self.registry = CollectorRegistry()
        names = ("method", "route", "status")
        self.requests = Counter("roadmask_http_requests", "Answers", names, registry=here)
        text = "Time from the request's head to the answer's end"
        self.seconds = Histogram(
            "roadmask_http_request_seconds", text, ("route",), buckets=_BUCKETS_S, registry=here
        )

    def watch(self, name: str, text: str, read: Callable[[], float]) -> None:
        """A gauge that ``read`` gives the value of when it is asked for."""
        Gauge(name, text, registry=self.registry).set_function(read)

    def watch_queues(self, pending: Mapping[str, Callable[[], float]]) -> None:
        """How many requests each model has, running and waiting."""
        gauge = Gauge("roadmask_queue", "Requests of a model", ("model",), registry=self.registry)
        for name, read in pending.items():
            gauge.labels(name).set_function(read)


class Measure:
    """ASGI middleware that counts requests by route, never by path: their number is bounded."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app, self._metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, and count."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, status = time.perf_counter(), "500"

        async def send_and_see(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = str(message["status"])
            await send(message)

        try:
            await self._app(scope, receive, send_and_see)
        finally:
            route = getattr(scope.get("route"), "path", "other")
            method = scope["method"] if scope["method"] in ("GET", "POST", "HEAD") else "other"
            self._metrics.requests.labels(method, route, status).inc()
            self._metrics.seconds.labels(route).observe(time.perf_counter() - started)
