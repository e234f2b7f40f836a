from __future__ import annotations

import os
from pathlib import Path

import pytest

from roadmask import Subscriber
from roadmask.stream.publish.publisher import Publisher
from roadmask.system.sockets import count_subscribers

READERS = 3


@pytest.mark.parametrize("bound", ["absolute", "relative", "through a link"])
def test_readers_are_counted_however_the_path_is_spelled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bound: str
) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "link").symlink_to("run")
    (tmp_path / "elsewhere").mkdir()
    place = tmp_path / "run" / "masks.sock"
    spelled = {"absolute": place, "relative": "run/masks.sock", "through a link": "link/masks.sock"}
    monkeypatch.chdir(tmp_path)
    if bound == "through a link":
        spelled[bound] = tmp_path / "link" / "masks.sock"
    with Publisher(spelled[bound], mask_size=(32, 16)) as publisher:
        readers = [Subscriber(place) for _ in range(READERS)]
        while publisher.clients < READERS:
            publisher.heartbeat()
            for reader in readers:
                reader.latest()
        asked = [place, "run/masks.sock", "./link/../run/masks.sock", tmp_path / "link/masks.sock"]
        for path in asked:
            assert count_subscribers(path) == READERS, path
        os.chdir("elsewhere")  # as a reader of another folder than the publisher's
        assert count_subscribers(place) == READERS
        assert count_subscribers("../link/masks.sock") == READERS
        assert count_subscribers("masks.sock") is None
        for reader in readers:
            reader.close()


def test_a_socket_that_nobody_listens_on_has_no_number(tmp_path: Path) -> None:
    assert count_subscribers(tmp_path / "nobody.sock") is None
    assert count_subscribers("x", tmp_path / "missing") is None


def test_other_sockets_of_that_name_do_not_count(tmp_path: Path) -> None:
    # Columns of /proc/net/unix: Num RefCount Protocol Flags Type St Inode Path.
    place = tmp_path / "a" / "masks.sock"
    lines = ["Num       RefCount Protocol Flags    Type St Inode Path"]
    lines += [
        f"0: 00000003 00000000 00000000 0005 {state} 1{path}"
        for state, path in (
            ("01", f" {place}"),
            ("03", f" {place}"),
            ("03", f" {tmp_path}/b/masks.sock"),
            ("03", " b/masks.sock"),
            ("03", f" @{place}"),
            ("03", " .masks.sock"),
            ("03", ""),
        )
    ]
    table = tmp_path / "unix"
    table.write_text("\n".join(lines) + "\n")
    assert count_subscribers(place, table) == 1
