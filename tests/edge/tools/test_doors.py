"""What keeps a reader from the daemon's socket, named before anybody drives."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from roadmask.cli.main import main
from roadmask.errors import ConfigError
from roadmask.tools.doors import what_bars

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


@pytest.fixture
def door(tmp_path: Path) -> Path:
    folder = tmp_path / "run"
    folder.mkdir(mode=0o755)
    for parent in [folder, *folder.parents]:
        if parent != Path("/") and not parent.stat().st_mode & 0o001:
            parent.chmod(parent.stat().st_mode | 0o011)
    path = folder / "masks.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
    path.chmod(0o660)
    return path


def test_mode_group_and_folder_are_named(door: Path) -> None:
    assert "does not let nobody connect" in what_bars("nobody", door)
    assert what_bars("root", door) == ""
    door.chmod(0o666)
    assert what_bars("nobody", door) == ""
    door.parent.chmod(0o750)
    bar = what_bars("nobody", door)
    assert bar.startswith(str(door.parent)) and "does not let nobody pass" in bar
    assert "no daemon" in what_bars("root", door.with_name("other.sock"))


def test_an_unknown_user_is_one_line(door: Path) -> None:
    with pytest.raises(ConfigError, match="no such user"):
        what_bars("nobody-at-all", door)


def test_the_command_says_it(door: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--socket", str(door), "--reader", "nobody"]) == 1
    assert "FAULT reader nobody:" in capsys.readouterr().out
