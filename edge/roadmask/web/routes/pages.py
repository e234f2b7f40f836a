"""The pages and what they load: files of ``static/``, none from the network."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from fastapi import APIRouter, FastAPI
from fastapi.responses import FileResponse
from fastapi.staticfiles import StaticFiles

from roadmask.web.problems import ProblemError

STATIC = Path(__file__).parents[1] / "static"
router = APIRouter(include_in_schema=False)


def install_static(app: FastAPI) -> None:
    """Serve ``/static``, and Swagger UI's own files from the package that brings them."""
    swagger = find_spec("fastapi_offline")
    assert swagger is not None and swagger.origin is not None  # the extra [web] holds it
    files = StaticFiles(directory=Path(swagger.origin).parent / "static")
    app.mount("/docs/files", files, "swagger")
    app.mount("/static", StaticFiles(directory=STATIC, check_dir=False), "static")


def _page(name: str) -> FileResponse:
    # Looked up among the files that are there: a name is never joined to a path.
    pages = {path.stem: path for path in STATIC.glob("*.html")}
    if name not in pages:
        raise ProblemError(404, f"there is no page {name[:80]!r}: see / for those that there are")
    return FileResponse(pages[name], media_type="text/html; charset=utf-8")


@router.get("/")
async def home() -> FileResponse:
    """The start page."""
    return _page("start")


@router.get("/ui/{name}")
async def page(name: str) -> FileResponse:
    """``static/NAME.html``."""
    return _page(name)


@router.get("/login")
async def login_page() -> FileResponse:
    """Where a person gives the token."""
    return _page("login")


@router.get("/docs")
async def docs() -> FileResponse:
    """Swagger UI over ``/openapi.json``; it sets styles of its own."""
    page = _page("docs")
    page.headers["Content-Security-Policy"] = (
        "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' blob: data:; "
        "object-src 'none'; base-uri 'none'; frame-ancestors 'none'"
    )
    return page


@router.get("/favicon.ico")
async def favicon() -> FileResponse:
    """``static/favicon.svg``."""
    return FileResponse(STATIC / "favicon.svg")
