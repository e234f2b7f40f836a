import json
import os
import threading
from pathlib import Path

import numpy as np
import pytest

from roadmask.errors import ConfigError, DataError
from roadmask.system.files import (
    atomic_path,
    check_writable,
    write_json,
    write_text,
)


def test_whole_file_under_its_name(tmp_path: Path) -> None:
    write_text(tmp_path / "new" / "a.json", "{}")
    assert (tmp_path / "new" / "a.json").read_text() == "{}"
    assert [p.name for p in (tmp_path / "new").iterdir()] == ["a.json"]


def test_failure_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    target.write_text("old")

    def fail() -> None:
        with atomic_path(target) as temporary:
            temporary.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert target.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


def test_a_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "far").mkdir()
    link, dangling = tmp_path / "link", tmp_path / "dangling"
    (tmp_path / "far" / "old").write_text("old")
    link.symlink_to("far/old")
    dangling.symlink_to("far/new")
    for path, target in ((link, "old"), (dangling, "new")):
        write_text(path, "content")
        assert path.is_symlink()
        assert (tmp_path / "far" / target).read_text() == "content"
    assert sorted(p.name for p in (tmp_path / "far").iterdir()) == ["new", "old"]


def test_devices_stay_devices() -> None:
    write_text("/dev/null", "content")
    with pytest.raises(DataError, match="/dev/full cannot be written: No space left on device"):
        write_text("/dev/full", "content")
    assert Path("/dev/null").is_char_device() and Path("/dev/full").is_char_device()


def test_a_fifo_is_written_through(tmp_path: Path) -> None:
    fifo, got = tmp_path / "fifo", []
    os.mkfifo(fifo)
    reader = threading.Thread(target=lambda: got.append(fifo.read_text()))
    reader.start()
    write_text(fifo, "content")
    reader.join()
    assert got == ["content"] and fifo.is_fifo()


def test_a_descriptor_goes_on_where_it_is(tmp_path: Path) -> None:
    with (tmp_path / "out").open("w+b", buffering=0) as file:
        file.write(b"before ")
        write_text(f"/dev/fd/{file.fileno()}", "content")
        file.write(b" after")
    assert (tmp_path / "out").read_text() == "before content after"


def test_what_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for path in (tmp_path, tmp_path / "file" / "a.json", tmp_path / ("n" * 256)):
        with pytest.raises(DataError, match="cannot be written"):
            write_text(path, "content")
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_names_that_are_no_utf8(tmp_path: Path) -> None:
    odd = os.fsdecode(b"odd\xff")
    write_text(tmp_path / odd, odd)
    assert (tmp_path / odd).read_text() == "odd\\udcff"


def test_unwritable_places_are_refused_before_the_work(tmp_path: Path) -> None:
    check_writable(None)
    for path in (tmp_path / "new.json", Path("/dev/null")):
        check_writable(path)
    for path in (tmp_path, tmp_path / "missing" / "new.json"):
        with pytest.raises(ConfigError, match="cannot write"):
            check_writable(path)


def test_written_json_holds_no_nan_and_no_numpy(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    write_json(path, {"a": float("nan"), "b": np.float32(0.5), "c": (1, np.int64(2)), 3: -np.inf})
    assert json.loads(path.read_text()) == {"a": None, "b": 0.5, "c": [1, 2], "3": None}
    write_json(path, [np.array([[1.5, np.nan]]), Path("x").name])
    assert json.loads(path.read_text()) == [[[1.5, None]], "x"]
    assert list(tmp_path.iterdir()) == [path]
