"""A folder of results holds what others put there: nothing of it hangs a reader or the list."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from roadmask.errors import DataError
from roadmask.storage.folder import Folder


def test_odd_things_are_refused_or_left_out(tmp_path: Path) -> None:
    for name in ("good", "pipe", "device", os.fsdecode(b"not \xff text")):
        (tmp_path / name).mkdir()
    (tmp_path / "good" / "r.json").write_bytes(b"{}")
    (tmp_path / os.fsdecode(b"not \xff text") / "r.json").write_bytes(b"{}")
    os.mkfifo(tmp_path / "pipe" / "r.json")
    (tmp_path / "device" / "r.json").symlink_to("/dev/zero")
    folder = Folder(str(tmp_path))
    assert folder.holding("r.json") == ["device", "good", "pipe"]
    assert folder.read("good/r.json") == b"{}"
    for name in ("pipe", "device"):
        with pytest.raises(DataError, match="cannot be read"):
            folder.read(f"{name}/r.json")


def test_a_prefix_is_no_pattern_and_a_large_object_is_not_fetched(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pytest.importorskip("fsspec")
    folder = Folder("memory://results/run[1]*")
    folder.write("one/r.json", b"{}")
    Folder("memory://results/run1x").write("two/r.json", b"{}")
    assert folder.holding("r.json") == ["one"]
    assert folder.read("one/r.json") == b"{}"
    monkeypatch.setattr("roadmask.storage.folder._MOST_BYTES", 1)
    with pytest.raises(DataError, match=r"one/r\.json has more than 1 bytes"):
        folder.read("one/r.json")


def test_a_store_that_does_not_answer_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its library asked again for minutes, and the server could not even end meanwhile."""
    s3fs = pytest.importorskip("s3fs")
    s3fs.S3FileSystem.clear_instance_cache()
    for limit in ("_READ_S", "_WRITE_S"):
        monkeypatch.setattr(f"roadmask.storage.folder.{limit}", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{silent.getsockname()[1]}")
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "none")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "none")
        folder = Folder("s3://bucket/results")
        for ask in (
            lambda: folder.holding("r.json"),
            lambda: folder.read("one/r.json"),
            lambda: folder.write("one/r.json", b"{}"),
        ):
            with pytest.raises(DataError, match="Timeout"):
                ask()
    s3fs.S3FileSystem.clear_instance_cache()
