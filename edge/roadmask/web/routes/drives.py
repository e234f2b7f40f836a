"""The timeline of a recording: its ribbon, its frames, what is wrong next, ranges and notes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Query, Response

from roadmask.labels.label_set import CATEGORY_NAMES
from roadmask.recording.cut import cut
from roadmask.recording.drive import SILENT, UNREAD, Shown, reason_names
from roadmask.recording.flight_file import FlightFile
from roadmask.recording.reader import Recording
from roadmask.stream.modes import Mode
from roadmask.stream.protocol import FrameHeader, IdentityKind
from roadmask.web.drives.library import utc
from roadmask.web.drives.schemas import DriveInfo, Drives, Found, Marks, NewMark, Ribbon
from roadmask.web.live.frame import about_frame, pack_frame
from roadmask.web.problems import ProblemError, describe
from roadmask.web.small_body import SmallBodyRoute
from roadmask.web.state import State
from roadmask.web.streamed import Streamed

_LOOK_S = 0.15  # a request reads on for so long
_FIRST_S = 0.7
_FIND_S = 0.5
_MODES = {UNREAD: -1, SILENT: 4}
router = APIRouter(
    prefix="/drives",
    tags=["drives"],
    responses=describe(401, 404, 421, 422, 503),
    route_class=SmallBodyRoute,
)
Seconds = Annotated[float, Query(ge=0, le=1e7, allow_inf_nan=False)]
_BINARY: dict[int | str, dict[str, Any]] = {
    200: {
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}
    }
}


@router.get("")
async def drives(state: State) -> Drives:
    """The recordings that lie at --drives."""
    place = state.drives.place
    found = await state.drives.worker.run(state.drives.files)
    return Drives(folder=None if place is None else str(place), drives=found)


@router.get("/{name}")
async def drive(state: State, name: str) -> DriveInfo:
    """What it holds; its index alone is read."""

    def work() -> DriveInfo:
        opened = state.drives.drive(name)
        opened.first_look(_FIRST_S)
        recording = opened.recording
        kinds: dict[IdentityKind, list[str]] = {}
        for kind, identity in recording.identities.values():
            known = kinds.setdefault(kind, [])
            if identity.name not in known:
                known.append(identity.name)
        return DriveInfo(
            name=name,
            start=utc(recording.start_ns / 1e9),
            duration_s=opened.duration_s,
            frames=recording.frames,
            models=kinds.get(IdentityKind.MODEL, []),
            cameras=kinds.get(IdentityKind.CAMERA, []),
            masks=isinstance(recording, Recording),
        )

    return await state.drives.worker.run(work)


@router.get("/{name}/ribbon")
async def ribbon(
    state: State,
    name: str,
    start: Seconds = 0.0,
    end: Seconds | None = None,
    pieces: Annotated[int, Query(ge=1, le=4000)] = 600,
) -> Ribbon:
    """Modes, reasons and shares over a range; each call reads on a little."""

    def work() -> Ribbon:
        opened = state.drives.drive(name)
        opened.look(_LOOK_S)
        last = opened.duration_s if end is None else min(end, opened.duration_s)
        first = min(start, last)
        strip = opened.strip(first, last, pieces)
        return Ribbon(
            start_s=first,
            end_s=last,
            known=opened.known,
            mode=[_MODES.get(int(mode), int(mode)) for mode in strip.mode],
            reasons=[reason_names(int(bits)) for bits in strip.reasons],
            shares=[[round(int(s) / 255, 3) for s in shares] for shares in strip.shares],
        )

    return await state.drives.worker.run(work)


@router.get("/{name}/frame", response_class=Response, responses=_BINARY)
async def frame(
    state: State,
    name: str,
    at: Seconds,
    step: Annotated[int, Query(ge=-1, le=1)] = 0,
) -> Response:
    """The frame at a moment, or the one after or before it, as a binary message of ``/live``."""

    def work() -> bytes:
        opened = state.drives.drive(name)
        shown = opened.frame(at, step)
        if shown is None:
            raise ProblemError(404, f"recording {name[:80]} has no frame there")
        return _packed(opened.recording, shown)

    data = await state.drives.worker.run(work)
    return Response(data, media_type="application/octet-stream")


def _packed(file: Recording | FlightFile, shown: Shown) -> bytes:
    captured_ms = file.start_ns / 1e6 + 1e3 * shown.at_s
    about: dict[str, Any] = {"at_s": shown.at_s, "live": False, "captured_unix_ms": captured_ms}
    if isinstance(file, FlightFile):
        content = file.content(shown.message)
        about |= {
            "sequence": content["sequence"],
            "state": content["mode"],
            "reasons": [name for name in content["reasons"].split("|") if name != "NONE"],
            "shares": dict(zip(CATEGORY_NAMES, content["shares"], strict=True)),
        }
        return pack_frame(about, None, None, file.picture(shown.at_s))
    record = file.parse(shown.message.data)
    assert isinstance(record.message, FrameHeader)
    return pack_frame(about_frame(record.message) | about, record.mask, record.preview)


@router.get("/{name}/next")
async def next_trouble(state: State, name: str, after: Seconds, worse_than: int = 0) -> Found:
    """When the mode next becomes worse than OK (0), DEGRADED (1) or STALE (2)."""
    if worse_than not in (Mode.OK, Mode.DEGRADED, Mode.STALE):
        raise ProblemError(422, f"worse_than is {worse_than}: expected 0, 1 or 2")

    def work() -> Found:
        opened = state.drives.drive(name)
        at_s, until_s = opened.find(after, Mode(worse_than), _FIND_S)
        return Found(at_s=at_s, until_s=until_s, end=at_s is None and until_s >= opened.duration_s)

    return await state.drives.worker.run(work)


@router.get("/{name}/export", response_class=Response, responses=_BINARY)
async def export(state: State, name: str, start: Seconds, end: Seconds) -> Response:
    """A range as a recording of its own, with the notes that lie in it."""
    if end < start:
        raise ProblemError(422, f"the range ends at {end:g} s, before it begins at {start:g} s")

    library = state.drives

    def prepared() -> tuple[Recording, list[dict[str, str]]]:
        marks = [m for m in library.marks(name).marks if start <= m.at_s <= end]
        entries = [{key: str(value) for key, value in m.model_dump().items()} for m in marks]
        if isinstance(library.drive(name).recording, FlightFile):
            raise ProblemError(422, "a flight recorder's file is a minute: take it as it is")
        # A file of its own: others may close the shared one while this goes on.
        return Recording(library.path(name)), entries

    async with AsyncExitStack() as stack:
        stack.enter_context(library.export())
        opened, marks = await library.worker.run(prepared)
        # In the thread, which may be reading it for somebody who left.
        stack.callback(library.worker.afterwards, opened.close)
        parts = cut(opened, start, end, marks)
        held = stack.pop_all()

    async def sent() -> AsyncIterator[bytes]:
        while (part := await library.worker.run(lambda: next(parts, None))) is not None:
            yield part

    file = quote(f"{name.removesuffix('.mcap')}-{start:.0f}-{end:.0f}.mcap")
    headers = {"Content-Disposition": f"attachment; filename*=UTF-8''{file}"}
    return Streamed(sent(), held.aclose, headers)


@router.get("/{name}/marks")
async def marks(state: State, name: str) -> Marks:
    """The notes."""
    return await state.drives.worker.run(lambda: state.drives.marks(name))


@router.post("/{name}/marks", responses=describe(400, 403, 408, 413))
async def mark(state: State, name: str, new: NewMark) -> Marks:
    """Note a moment."""
    return await state.drives.worker.run(lambda: state.drives.mark(name, new))
