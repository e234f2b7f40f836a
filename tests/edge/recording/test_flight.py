"""The files of the flight recorder: whole, and bounded on disk."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from mcap.reader import make_reader

from roadmask.recording.flight import Entry, write_flight


def test_entries_come_as_they_were_given(tmp_path: Path) -> None:
    entries = [
        Entry(1_000, "/headers", {"sequence": 1, "bad": float("nan")}),
        Entry(2_000, "/modes", {"mode": "FAULT"}),
        Entry(3_000, "/pictures", b"jpeg"),
    ]
    path = write_flight(tmp_path / "flight", entries, 1 << 20)
    with path.open("rb") as stream:
        found = [
            (channel.topic, json.loads(message.data))
            for _, channel, message in make_reader(stream).iter_messages()
        ]
    assert [topic for topic, _ in found] == ["/headers", "/modes", "/pictures"]
    assert found[0][1] == {"sequence": 1, "bad": None}
    assert found[2][1]["format"] == "jpeg"


def test_the_oldest_files_go_and_the_newest_stays(tmp_path: Path) -> None:
    for number in range(3):
        (tmp_path / f"flight-2020010{number}T000000Z.mcap").write_bytes(bytes(1000))
    (tmp_path / "mine.mcap").write_bytes(bytes(5000))
    path = write_flight(tmp_path, [Entry(1, "/modes", {})], path_limit := 1500)
    left = sorted(file.name for file in tmp_path.iterdir())
    assert path.name in left and "mine.mcap" in left
    kept = [file for file in tmp_path.glob("flight-*") if file != path]
    assert len(kept) <= 1 and sum(f.stat().st_size for f in [*kept, path]) <= path_limit


def test_what_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(TypeError):
        write_flight(tmp_path, [Entry(1, "/modes", {"mode": object()})], 1 << 20)
    assert not list(tmp_path.iterdir())
