"""A folder of results holds what others put there: nothing of it hangs a reader or the list."""

from __future__ import annotations

import os
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
