"""A recording as a timeline: any moment, the next trouble, ranges; by its index, not in memory."""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("mcap")

import itertools

from drive_parts import long_drive
from record_parts import FRAMES, frames_of, make_recording, read

from roadmask.errors import DataError
from roadmask.recording.cut import cut
from roadmask.recording.drive import SILENT, UNREAD, Drive, reason_names
from roadmask.recording.flight import Entry, write_flight
from roadmask.recording.flight_file import FlightFile
from roadmask.recording.reader import MODE, Recording
from roadmask.recording.writer import RecordingFile
from roadmask.stream.modes import Mode, Reason

HOT = (Mode.DEGRADED, Reason.THERMAL)
GONE = (Mode.FAULT, Reason.CAMERA_LOST)
TROUBLE = {(100.0, 101.0): HOT, (250.5, 260.0): GONE, (290.0, 300.0): HOT}


@pytest.fixture(scope="session")
def short(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_recording(tmp_path_factory.mktemp("short"))


@pytest.fixture(scope="session")
def five_minutes(short: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return long_drive(short, tmp_path_factory.mktemp("long") / "l.mcap", 300, 30, TROUBLE)


def test_every_frame_of_a_recording_is_found_forth_and_back(short: Path) -> None:
    drive = Drive(short)
    found, at = [], -1.0
    while (shown := drive.frame(at, 1)) is not None:
        found.append(shown)
        at = shown.at_s
    assert isinstance(drive.recording, Recording)
    records = [drive.recording.parse(shown.message.data) for shown in found]
    assert sorted(h.sequence for h in frames_of(read(short))) == sorted(
        header.sequence for header in frames_of(records)
    )
    assert len(found) == FRAMES
    for earlier, later in itertools.pairwise(found):
        assert drive.frame(later.at_s, -1).at_s == earlier.at_s  # type: ignore[union-attr]
        between = drive.frame((earlier.at_s + later.at_s) / 2)
        assert between is not None and between.at_s == earlier.at_s
        assert between.message == earlier.message
    assert drive.frame(found[0].at_s, -1) is None
    drive.close()


def test_the_next_trouble_is_found_to_the_frame(five_minutes: Path) -> None:
    drive = Drive(five_minutes)
    places, after = [], 0.0
    while (at := drive.find(after, Mode.OK, 60)[0]) is not None:
        places.append(round(at, 3))
        after = at
    assert places == [100.0, 250.5, 290.0]
    assert drive.find(0, Mode.DEGRADED, 60)[0] == pytest.approx(250.5)
    assert drive.find(295, Mode.OK, 60) == (None, drive.duration_s)
    # In pieces, as a server does it that must answer in time; here in a file without the index.
    changes, drive._changes = drive._changes, None
    after, looks = 101.5, 0
    while (found := drive.find(after, Mode.OK, 0))[0] is None:
        after, looks = found[1], looks + 1
    assert found[0] == pytest.approx(250.5) and looks > 3
    drive._changes = changes
    # The index of changes leads there: what lies between is not read.
    parts: list[int] = []
    read_part = drive.recording.stamped

    def counted(part: int) -> object:
        parts.append(part)
        return read_part(part)

    drive.recording.stamped = counted  # type: ignore[method-assign, assignment]
    assert drive.find(101.5, Mode.OK, 60)[0] == pytest.approx(250.5)
    assert len(parts) < 6 < drive.recording.chunks / 15
    drive.recording.stamped = read_part  # type: ignore[method-assign]
    # The same when the ribbon is known, where whole parts are passed by.
    while drive.look(1):
        pass
    assert drive.find(101.5, Mode.OK, 60)[0] == pytest.approx(250.5)
    drive.close()


def test_the_ribbon_shows_it_all(five_minutes: Path) -> None:
    drive = Drive(five_minutes)
    assert (drive.strip(0, 300, 30).mode == UNREAD).all()
    while drive.look(1):
        pass
    assert (drive.strip(0, 300, 4000).mode != UNREAD).all(), "no gap between two parts"
    strip = drive.strip(0, 300, 300)
    expected = np.zeros(300, int)
    expected[100:101], expected[250:260], expected[290:300] = 1, 3, 1
    # A part is more than a piece here: what lies beside trouble may share its part.
    near = np.convolve(expected, np.ones(9), "same") > 0
    assert (strip.mode[~near] == 0).all() and (strip.mode[expected > 0] > 0).all()
    assert strip.mode[255] == 3 and "CAMERA_LOST" in reason_names(int(strip.reasons[255]))
    header = frames_of(read(five_minutes))[0]
    assert np.allclose(strip.shares[10] / 255, header.shares, atol=1 / 255)
    drive.close()


def test_silence_is_told(short: Path, tmp_path: Path) -> None:
    path = long_drive(short, tmp_path / "s.mcap", 600, 30, silent=(200.0, 230.0))
    drive = Drive(path)
    while drive.look(1):
        pass
    mode = drive.strip(0, 600, 600).mode
    assert (mode[202:229] == SILENT).all() and (mode[:199] == 0).all() and (mode[231:] == 0).all()
    drive.close()


def test_a_range_is_a_recording_of_its_own(five_minutes: Path, tmp_path: Path) -> None:
    out = tmp_path / "cut.mcap"
    with Recording(five_minutes) as source:
        mark = {"at_s": "251.0", "note": "here", "when": "now"}
        parts = list(cut(source, 250.0, 252.0, [mark]))
    out.write_bytes(b"".join(parts))
    before = frames_of(read(five_minutes))
    after = frames_of(read(out))
    wanted = [h for h in before if 250.0 <= (h.sequence - 1) / 30 <= 252.0]
    assert after == wanted and len(after) == 61
    with Recording(out) as recording, Recording(five_minutes) as source:
        assert recording.identities == source.identities and recording.frames == 61
    drive = Drive(out)
    assert drive.find(0, Mode.OK, 60)[0] is not None
    drive.close()
    assert b"roadmask.mark" in out.read_bytes()


def test_messages_for_other_tools_are_passed_over(short: Path, tmp_path: Path) -> None:
    pytest.importorskip("foxglove")
    log = pytest.importorskip("roadmask.interop.foxglove_messages").log_message
    path = tmp_path / "tools.mcap"
    with Recording(short) as source, RecordingFile(path) as out:
        for chunk in range(source.chunks):
            for message in source.stamped(chunk):
                if message.topic == MODE:
                    continue
                out.add(source.parse(message.data).message, message.data)
                now_ns = message.log_ns
                out.add_standard("/roadmask/log", log(now_ns, Mode.OK, Reason.NONE), now_ns)
        for (stream_id, index), (kind, identity) in source.identities.items():
            out.add_identity(stream_id, index, kind, identity)
    drive = Drive(path)
    while drive.look(1):
        pass
    assert drive.find(0, Mode.OK, 60)[0] is not None
    assert isinstance(drive.recording, Recording)
    (tmp_path / "cut.mcap").write_bytes(b"".join(cut(drive.recording, 0, 1e6)))
    drive.close()
    assert frames_of(read(tmp_path / "cut.mcap")) == frames_of(read(short))


def test_what_is_no_recording_is_said(tmp_path: Path) -> None:
    (tmp_path / "x.mcap").write_bytes(b"nothing")
    with pytest.raises(DataError, match="no recording"):
        Drive(tmp_path / "x.mcap")


def resident_mib() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / (1 << 20)


@pytest.mark.slow
def test_two_hours_open_at_once_and_take_no_memory(short: Path, tmp_path: Path) -> None:
    path = long_drive(short, tmp_path / "hours.mcap", 7200, 30, {(7000.0, 7010.0): HOT})
    began = time.monotonic()
    drive = Drive(path)
    print(f"opened in {time.monotonic() - began:.2f} s")  # the limit of 2 s is measured by hand
    before = resident_mib()
    for at in range(0, 7200, 60):
        assert drive.frame(at) is not None
    while drive.look(1):
        pass
    assert drive.find(0, Mode.OK, 600)[0] == pytest.approx(7000.0)
    # Raw, what was read are 2.9 GB.
    assert resident_mib() < before + 50
    drive.close()


def test_a_flight_recorders_file_is_a_timeline_too(tmp_path: Path) -> None:
    entries = [Entry(10**9, "/modes", {"mode": "OK NONE"}), Entry(2 * 10**9, "/pictures", b"first")]
    for number in range(30):
        mode, reasons = ("FAULT", "CAMERA_LOST|THERMAL") if number >= 20 else ("OK", "NONE")
        content = {"sequence": number, "mode": mode, "reasons": reasons, "shares": [0.125] * 8}
        entries.append(Entry((1 + number) * 10**9, "/headers", content))
    drive = Drive(write_flight(tmp_path, entries, 1 << 20))
    assert isinstance(drive.recording, FlightFile) and drive.recording.frames == 30
    shown = drive.frame(5.5)
    assert shown is not None and drive.recording.content(shown.message)["sequence"] == 5
    assert drive.recording.picture(5.5) == b"first" and drive.recording.picture(0.5) == b""
    assert drive.find(0, Mode.OK, 60)[0] == pytest.approx(20)
    while drive.look(1):
        pass
    strip = drive.strip(0, 30, 3)
    assert strip.mode[2] == 3 and "THERMAL" in reason_names(int(strip.reasons[2]))
    drive.close()
