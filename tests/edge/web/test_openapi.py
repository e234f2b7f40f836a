"""schemathesis sends what the OpenAPI description allows, and what it does not: never a 5xx."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

ROUTES = {
    "/predict/",
    "/predict/batch",
    "/compare",
    "/models",
    "/labels",
    "/config",
    "/healthz",
    "/readyz",
    "/metrics",
    "/gallery",
    "/gallery/{frame_id}",
    "/gallery/{frame_id}/image",
    "/gallery/{frame_id}/truth",
    "/gallery/{frame_id}/compare",
}
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]


@pytest.fixture(scope="session")
def schema(url: str) -> Any:
    return schemathesis.openapi.from_url(f"{url}/openapi.json")


@pytest.mark.parametrize("mode", list(GenerationMode))
@pytest.mark.parametrize("path", sorted(ROUTES))
def test_no_server_error(schema: Any, path: str, mode: GenerationMode) -> None:
    method = "POST" if {path} & {"/predict/", "/predict/batch", "/compare"} else "GET"

    @settings(
        max_examples=12,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(case=schema[path][method].as_strategy(generation_mode=mode))
    def send(case: Any) -> None:
        case.call_and_validate(checks=CHECKS, timeout=60)

    try:
        send()
    except Unsatisfiable:  # a route without parameters cannot be asked wrongly
        assert mode == GenerationMode.NEGATIVE


def test_the_description_names_every_route(client: httpx.Client) -> None:
    paths = client.get("/openapi.json").json()["paths"]
    assert set(paths) == ROUTES
    assert "application/problem+json" in json.dumps(paths["/predict/"])
