"""A flight recorder's file that somebody else wrote is named, never a failure of the reader."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("mcap")

from mcap.writer import Writer

from roadmask.errors import DataError
from roadmask.recording.drive import Drive
from roadmask.recording.flight_file import HEADERS, PICTURES, FlightFile

GOOD = {"sequence": 1, "mode": "OK", "reasons": "NONE", "shares": [0.125] * 8}


def flight(path: Path, *messages: tuple[str, bytes]) -> Path:
    with path.open("wb") as file:
        writer = Writer(file)
        writer.start("", "somebody")
        schema = writer.register_schema("any", "jsonschema", b"{}")
        topics = {name: writer.register_channel(name, "json", schema) for name, _ in messages}
        for number, (name, data) in enumerate(messages, start=1):
            writer.add_message(topics[name], number * 10**9, data, number * 10**9)
        writer.finish()
    return path


@pytest.mark.parametrize(
    "content",
    [
        None,
        3,
        [1],
        {},
        *({**GOOD, "mode": mode} for mode in (3, "X")),
        *({**GOOD, "reasons": reasons} for reasons in (3, [1])),
        *({**GOOD, "shares": shares} for shares in (None, 5, [1], [0] * 9, ["a"] * 8, [[0]] * 8)),
        *({**GOOD, "shares": [share] * 8} for share in (-1, 1e30, 10**400, float("nan"))),
        {key: value for key, value in GOOD.items() if key != "sequence"},
    ],
)
def test_a_header_of_another_shape_is_named(tmp_path: Path, content: Any) -> None:
    path = flight(tmp_path / "a.mcap", (HEADERS, json.dumps(content).encode()))
    drive = Drive(path)
    assert isinstance(drive.recording, FlightFile)
    with pytest.raises(DataError, match=r"a\.mcap cannot be read"):
        drive.look(1)
    (message,) = drive.recording.stamped(0)
    if content != {**GOOD, "mode": "X"}:  # which is text
        with pytest.raises(DataError, match=r"a\.mcap cannot be read"):
            drive.recording.content(message)
    drive.close()


def test_a_header_that_fits_is_told(tmp_path: Path) -> None:
    drive = Drive(flight(tmp_path / "a.mcap", (HEADERS, json.dumps(GOOD).encode())))
    assert not drive.look(1)
    drive.close()


@pytest.mark.parametrize("content", [{"data": 3}, [1], {}, 5, {"data": "é"}])
def test_a_picture_of_another_shape_is_named(tmp_path: Path, content: Any) -> None:
    messages = (PICTURES, json.dumps(content).encode()), (HEADERS, json.dumps(GOOD).encode())
    with (
        FlightFile(flight(tmp_path / "a.mcap", *messages)) as file,
        pytest.raises(DataError, match=r"a\.mcap cannot be read"),
    ):
        file.picture(1)
