"""The OpenAPI description: what FastAPI makes of the routes, with who may use them."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI

from roadmask.web.problems import ProblemBody
from roadmask.web.security.access import COOKIE

_FREE = ("/healthz", "/readyz")
_SCHEMES = {
    "token": {
        "type": "http",
        "scheme": "bearer",
        "description": "the content of the file given with --token-file",
    },
    "session": {"type": "apiKey", "in": "cookie", "name": COOKIE, "description": "of /login"},
}
# Generators of clients take the first form of an answer that they know: a file, where it is one.
_FILES_FIRST = ("image/png", "image/jpeg", "application/zip", "application/octet-stream")


def install_description(app: FastAPI, needs_token: bool) -> None:
    """Replace ``app.openapi``."""
    plain = app.openapi

    def described() -> dict[str, Any]:
        fresh = app.openapi_schema is None
        schema = plain()
        if fresh:
            schema["components"]["schemas"]["ProblemBody"] = ProblemBody.model_json_schema()
            schema["components"]["securitySchemes"] = _SCHEMES
            either: list[dict[str, list[str]]] = [{"token": []}, {"session": []}]
            schema["security"] = either if needs_token else [*either, {}]
            for path, operations in schema["paths"].items():
                for operation in operations.values():
                    if path in _FREE:
                        operation["security"] = []
                    _order(operation["responses"].get("200", {}))
        return schema

    app.openapi = described  # type: ignore[method-assign]


def _order(answer: dict[str, Any]) -> None:
    content = answer.get("content", {})
    files = [kind for kind in _FILES_FIRST if kind in content]
    if files:
        rest = [kind for kind in content if kind not in files]
        answer["content"] = {kind: content[kind] for kind in (*files, *rest)}
