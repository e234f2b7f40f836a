"""The JSON of the timeline."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BaseModel, Field

from roadmask.system.files import told


class DriveFile(BaseModel):
    """A recording that can be opened."""

    name: str
    bytes: int
    modified: str = Field(description="UTC, ISO 8601")


class Drives(BaseModel):
    """All of them, the newest first."""

    folder: str | None
    drives: list[DriveFile]


class DriveInfo(BaseModel):
    """One recording."""

    name: str
    start: str = Field(description="wall-clock time of the first message, UTC, ISO 8601")
    duration_s: float
    frames: int
    models: list[str]
    cameras: list[str]
    masks: bool = Field(description="false: a flight recorder's file, headers and pictures alone")


class Ribbon(BaseModel):
    """Equal pieces of a range: what is worst in each."""

    start_s: float
    end_s: float
    known: float = Field(description="share of the file that was read: ask again until it is 1")
    mode: list[int] = Field(
        description="0 OK, 1 DEGRADED, 2 STALE, 3 FAULT, 4 nothing came, -1 not read yet"
    )
    reasons: list[list[str]]
    shares: list[list[float]] = Field(description="of the eight categories, void first")


class Found(BaseModel):
    """Where the mode becomes worse; without a place, how far was looked: ask again from there."""

    at_s: float | None
    until_s: float
    end: bool


def _one_line(text: str) -> str:
    if told(text) != text:
        raise ValueError("it holds control characters: expected one line of text")
    return text


class NewMark(BaseModel):
    """A moment that somebody wants to find again."""

    at_s: float = Field(ge=0, le=1e7)
    note: Annotated[str, AfterValidator(_one_line)] = Field(
        min_length=1, max_length=500, json_schema_extra={"pattern": r"^[^\x00-\x1f\x7f-\x9f]*$"}
    )


class Mark(BaseModel):
    """The same, kept; what somebody else wrote into the file is told with escapes."""

    at_s: float = Field(ge=0, le=1e7)
    note: Annotated[str, AfterValidator(told)]
    when: Annotated[str, AfterValidator(told)] = Field(
        description="when it was noted, UTC, ISO 8601"
    )


class Marks(BaseModel):
    """Of one recording, in its order."""

    marks: list[Mark]
