"""The timeline over pictures: memory that does not grow, and readers who leave or never read."""

from __future__ import annotations

import random
import re
import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest

pytest.importorskip("mcap")

from drive_parts import long_drive
from record_parts import frames_of, make_recording, read
from stream_parts import wait_for
from web_parts import server

SECONDS, FPS, PICTURE_PX = 80, 2, (320, 240)  # 37 MB: more than sockets hold
HERE = "/drives/pictures.mcap"


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("drives")
    short = make_recording(tmp_path_factory.mktemp("short"))
    return long_drive(short, folder / "pictures.mcap", SECONDS, FPS, picture_px=PICTURE_PX)


@pytest.fixture(scope="module")
def served(file: Path) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    with server("--drives", file, "--socket", file.with_name("s")) as (base, process):
        yield base, process


def resident_mib(process: subprocess.Popen[str]) -> float:
    found = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{process.pid}/status").read_text())
    assert found
    return int(found[1]) / 1024


def times_open(process: subprocess.Popen[str], file: Path) -> int:
    count = 0
    for handle in Path(f"/proc/{process.pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # closed meanwhile
            count += handle.samefile(file)
    return count


def test_hundreds_of_places_and_ranges_take_no_memory(
    served: tuple[str, subprocess.Popen[str]], file: Path
) -> None:
    base, process = served
    places = random.Random(1)
    with httpx.Client(base_url=base, timeout=60) as client:

        def look(seeks: int, exports: int) -> float:
            for _ in range(seeks):
                at = places.uniform(0, SECONDS)
                answer = client.get(HERE + "/frame", params={"at": at})
                assert answer.status_code == 200 and len(answer.content) > 3000
            for _ in range(exports):
                start = places.uniform(0, SECONDS - 10)
                whole = client.get(HERE + "/export", params={"start": start, "end": start + 10})
                assert whole.status_code == 200
                query = {"start": 0, "end": SECONDS}
                with client.stream("GET", HERE + "/export", params=query) as left:
                    assert next(left.iter_raw())
            return resident_mib(process)

        while client.get(HERE + "/ribbon").json()["known"] < 1:
            pass
        before = look(20, 5)
        assert look(400, 20) < before + 16  # of 90 + 400 MB that were read


def test_a_range_holds_its_pictures(
    served: tuple[str, subprocess.Popen[str]], file: Path, tmp_path: Path
) -> None:
    query = {"start": 10, "end": 20}
    answer = httpx.get(served[0] + HERE + "/export", params=query, timeout=60)
    (tmp_path / "cut.mcap").write_bytes(answer.content)
    whole, cut = read(file), read(tmp_path / "cut.mcap")
    assert [header.sequence for header in frames_of(cut)] == list(range(21, 42))
    first = next(record for record in cut if record.preview is not None)
    same = next(record for record in whole if record.message == first.message)
    assert first.preview is not None and first.preview.shape == (240, 320, 3)
    assert same.preview is not None and (first.preview == same.preview).all()


def test_who_leaves_before_the_first_byte_leaves_nothing(
    served: tuple[str, subprocess.Popen[str]], file: Path
) -> None:
    base, process = served
    address = ("127.0.0.1", int(base.rpartition(":")[2]))
    path = f"{quote(HERE)}/export?start=0&end={SECONDS}"
    for method in ("GET",) * 20 + ("HEAD",) * 5:
        with socket.create_connection(address) as connection:
            connection.sendall(f"{method} {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    short = f"{base}{HERE}/export?start=0&end=1"
    wait_for(lambda: httpx.get(short, timeout=60).status_code == 200, "a place")
    wait_for(lambda: times_open(process, file) <= 1, "their files closed")
    head = httpx.head(base + path, timeout=60)
    assert (head.status_code, head.content) == (200, b"")
    assert "attachment" in head.headers["content-disposition"]


def test_only_a_few_ranges_are_sent_at_once(
    served: tuple[str, subprocess.Popen[str]], file: Path
) -> None:
    base, process = served
    query = {"start": 0, "end": SECONDS}
    with httpx.Client(base_url=base, timeout=60) as client, ExitStack() as readers:
        for _ in range(4):  # who take the first bytes and then no more
            answer = readers.enter_context(client.stream("GET", HERE + "/export", params=query))
            assert answer.status_code == 200
        refused = client.get(HERE + "/export", params=query)
        assert refused.status_code == 503 and int(refused.headers["Retry-After"]) > 0
        assert client.get(HERE + "/frame", params={"at": 3}).status_code == 200
    wait_for(lambda: times_open(process, file) <= 1, "their files closed")
    assert httpx.get(base + HERE + "/export", params=query, timeout=60).status_code == 200
