"""schemathesis sends what the OpenAPI description allows, and what it does not: never a 5xx."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, given, reject, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.errors import SerializationNotPossible
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from web_parts import encoded, town_picture

ROUTES = {
    "/predict/",
    "/predict/batch",
    "/predict/video",
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
    "/evaluations",
    "/evaluations/{evaluation_id}",
    "/evaluations/{evaluation_id}/cancel",
    "/evaluations/{evaluation_id}/result",
    "/drives",
    "/drives/{name}",
    "/drives/{name}/ribbon",
    "/drives/{name}/frame",
    "/drives/{name}/next",
    "/drives/{name}/export",
    "/drives/{name}/marks",
}
POSTED = {
    "/predict/",
    "/predict/batch",
    "/predict/video",
    "/compare",
    "/evaluations/{evaluation_id}/cancel",
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
    method = "POST" if path in POSTED else "GET"

    @settings(
        max_examples=12,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(case=schema[path][method].as_strategy(generation_mode=mode))
    def send(case: Any) -> None:
        try:
            case.call_and_validate(checks=CHECKS, timeout=60)
        except SerializationNotPossible:  # Python 3.10's last schemathesis cannot write every part
            reject()

    try:
        send()
    except Unsatisfiable:  # a route without parameters cannot be asked wrongly
        assert mode == GenerationMode.NEGATIVE


def test_the_description_names_every_route(client: httpx.Client) -> None:
    paths = client.get("/openapi.json").json()["paths"]
    assert set(paths) == ROUTES
    assert "application/problem+json" in json.dumps(paths["/predict/"])


def test_the_description_says_who_may_ask(client: httpx.Client) -> None:
    schema = client.get("/openapi.json").json()
    assert schema["components"]["securitySchemes"]["token"]["scheme"] == "bearer"
    assert {"token": []} in schema["security"] and {} in schema["security"], "no token is set"
    assert schema["paths"]["/healthz"]["get"]["security"] == []


@pytest.mark.slow
def test_a_generated_client_gets_a_file_for_a_file(
    url: str, client: httpx.Client, tmp_path: Path
) -> None:
    """openapi-python-client took PNGs for JSON; what it makes of our description is used here."""
    pytest.importorskip("openapi_python_client")
    (tmp_path / "openapi.json").write_text(client.get("/openapi.json").text)
    (tmp_path / "settings.yml").write_text(
        "content_type_overrides:\n"
        + "".join(f"  {kind}: application/octet-stream\n" for kind in FILES)
        + "post_hooks: []\n"
    )
    command = [sys.executable, "-m", "openapi_python_client", "generate", "--meta", "none"]
    command += ["--path", "openapi.json", "--config", "settings.yml", "--output-path", "generated"]
    made = subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True)
    assert "WARNING" not in made.stdout + made.stderr, "nothing of the API was left out"
    picture = town_picture()
    (tmp_path / "frame.png").write_bytes(encoded(picture))
    subprocess.run([sys.executable, "-c", USE, url], cwd=tmp_path, check=True)
    mask = client.post("/predict/", files={"image": encoded(picture)}).content
    assert (tmp_path / "mask.png").read_bytes() == mask


FILES = ("image/png", "image/jpeg", "application/zip")
USE = """
import io, pathlib, sys
from generated import AuthenticatedClient
from generated.api.about import models
from generated.api.prediction import predict
from generated.models import PredictBody
from generated.types import File
with AuthenticatedClient(sys.argv[1], "a-token", raise_on_unexpected_status=True) as client:
    assert models.sync(client=client).models[0].digest
    frame = pathlib.Path("frame.png").read_bytes()
    body = PredictBody(image=File(io.BytesIO(frame), "frame.png", "image/png"))
    mask = predict.sync(client=client, body=body)
    pathlib.Path("mask.png").write_bytes(mask.payload.read())
"""
