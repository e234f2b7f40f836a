from __future__ import annotations

import os

import pytest

from roadmask.system.terminal import quiet


def test_quiet_drops_what_c_code_writes_and_gives_the_terminal_back(
    capfd: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(ValueError), quiet() as terminal:
        os.write(1, b"chatter\n")
        os.write(2, b"chatter\n")
        print("progress", file=terminal)
        raise ValueError
    os.write(1, b"after\n")
    captured = capfd.readouterr()
    assert captured.out == "after\n" and captured.err == "progress\n"


def test_not_enabled_lets_everything_through(capfd: pytest.CaptureFixture[str]) -> None:
    with quiet(False):
        os.write(1, b"said\n")
    assert capfd.readouterr().out == "said\n"
