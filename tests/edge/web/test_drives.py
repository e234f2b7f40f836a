"""The timeline's routes: by name only, a frame as the live page gets it, ranges and notes."""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

pytest.importorskip("mcap")

from drive_parts import long_drive
from record_parts import frames_of, make_recording, read
from web_parts import decoded, server

from roadmask.stream.modes import Mode, Reason

TROUBLE = {(20.0, 22.0): (Mode.DEGRADED, Reason.THERMAL)}


@pytest.fixture(scope="module")
def drives(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with half a minute, a file that is none, and one that is being written."""
    folder = tmp_path_factory.mktemp("drives")
    short = make_recording(tmp_path_factory.mktemp("short"))
    long_drive(short, folder / "half a minute.mcap", 30, 30, TROUBLE)
    (folder / "broken.mcap").write_bytes(b"\x89MCAP0\r\n" + bytes(100))
    (folder / "now.mcap.partial").write_bytes(b"")
    # None of these is a recording, and none may spoil the list.
    (folder / "dangling.mcap").symlink_to("nothing")
    (folder / "loop.mcap").symlink_to("loop.mcap")
    os.mkfifo(folder / "pipe.mcap")
    (folder / "folder.mcap").mkdir()
    (folder / os.fsdecode(b"not \xff text.mcap")).write_bytes(b"")
    return folder


@pytest.fixture(scope="module")
def client(drives: Path) -> Iterator[httpx.Client]:
    with (
        server("--drives", drives, "--socket", drives / "s") as (base, _),
        httpx.Client(base_url=base, timeout=60) as client,
    ):
        yield client


HERE = "/drives/half a minute.mcap"


def json_of(client: httpx.Client, path: str, **query: Any) -> Any:
    return client.get(path, params=query).raise_for_status().json()


def test_the_list_and_what_one_holds(client: httpx.Client, drives: Path) -> None:
    listed = json_of(client, "/drives")
    assert {d["name"] for d in listed["drives"]} == {"half a minute.mcap", "broken.mcap"}
    info = json_of(client, HERE)
    assert info["frames"] == 900 and info["duration_s"] == pytest.approx(29.97, abs=0.05)
    assert info["models"] == ["net"]
    answer = client.get("/drives/broken.mcap")
    assert answer.status_code == 422 and "broken.mcap" in answer.json()["detail"]
    for name in ("nothing", "..%2fshort%2ftown.mcap", "now.mcap.partial"):
        assert client.get(f"/drives/{name}").status_code == 404


def test_a_frame_is_a_message_of_the_live_page(client: httpx.Client, drives: Path) -> None:
    header = frames_of(read(drives / "half a minute.mcap"))[21 * 30]
    data = client.get(HERE + "/frame", params={"at": 21.001}).content
    magic, text, mask, preview = struct.unpack_from("<4sIII", data)
    about = json.loads(data[16 : 16 + text])
    assert magic == b"RMW1" and len(data) == 16 + text + mask + preview and preview
    assert (about["sequence"], about["state"]) == (header.sequence, "DEGRADED")
    assert about["reasons"] == ["THERMAL"] and about["at_s"] == pytest.approx(21.0)
    record = read(drives / "half a minute.mcap")[1]
    assert np.array_equal(decoded(data[16 + text : 16 + text + mask]), record.mask)
    after = client.get(HERE + "/frame", params={"at": about["at_s"], "step": 1}).content
    assert json.loads(after[16 : 16 + struct.unpack_from("<I", after, 4)[0]])["sequence"] == 632
    assert client.get(HERE + "/frame", params={"at": 29.99, "step": 1}).status_code == 404


def test_the_ribbon_is_read_to_its_end_and_the_next_trouble_found(client: httpx.Client) -> None:
    known = 0.0
    while known < 1:
        ribbon = json_of(client, HERE + "/ribbon", pieces=30)
        known = ribbon["known"]
    assert ribbon["mode"][21] == 1 and ribbon["mode"][5] == 0
    assert ribbon["reasons"][21] == ["THERMAL"]
    assert sum(ribbon["shares"][5]) == pytest.approx(1, abs=0.05)
    found = json_of(client, HERE + "/next", after=0)
    assert found["at_s"] == pytest.approx(20.0)
    nothing = json_of(client, HERE + "/next", after=23)
    assert nothing["at_s"] is None and nothing["end"]
    assert client.get(HERE + "/next", params={"after": 0, "worse_than": 7}).status_code == 422


def test_a_note_is_kept_and_goes_with_its_range(client: httpx.Client, tmp_path: Path) -> None:
    assert json_of(client, HERE + "/marks") == {"marks": []}
    for at_s, note in ((21.5, "a deer?"), (2.0, "start of the tunnel")):
        kept = client.post(HERE + "/marks", json={"at_s": at_s, "note": note})
        assert kept.status_code == 200
    assert [m["note"] for m in kept.json()["marks"]] == ["start of the tunnel", "a deer?"]
    answer = client.get(HERE + "/export", params={"start": 20, "end": 23})
    assert answer.status_code == 200 and "half%20a%20minute-20-23.mcap" in str(answer.headers)
    (tmp_path / "cut.mcap").write_bytes(answer.content)
    cut = frames_of(read(tmp_path / "cut.mcap"))
    assert [h.sequence for h in cut] == list(range(601, 692))
    assert b"a deer?" in answer.content and b"tunnel" not in answer.content
    assert client.get(HERE + "/export", params={"start": 5, "end": 1}).status_code == 422
    assert client.post(HERE + "/marks", json={"at_s": 1, "note": ""}).status_code == 422
