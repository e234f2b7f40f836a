"""docs/cityscapes.md word for word, on the drawn town, in a clean clone."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
from pathlib import Path

import pytest

from roadmask.cli.main import main as roadmask

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "cityscapes.md"


def commands() -> list[str]:
    """What the page tells people to type, in order."""
    blocks = re.findall(r"^```\n(.*?)^```", PAGE.read_text(), re.M | re.S)
    return [line for block in blocks for line in block.splitlines()]


def test_the_make_target_runs_what_the_page_says() -> None:
    command = "make -n --no-print-directory -o .venv/.test cityscapes ROOT=cityscapes"
    told = subprocess.run(
        command.split(), cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    first, *rest = commands()
    assert shlex.split(first)[1:3] == ["town", "--cityscapes"]
    assert told == rest


@pytest.mark.slow
@pytest.mark.timeout(3000)
def test_the_page_is_followed_word_for_word(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "-q", str(ROOT), str(clone)], check=True)
    (clone / ".venv").symlink_to(ROOT / ".venv")
    # The environment's roadmask is that of the checkout it was made in.
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "edge")}
    for command in commands():
        done = subprocess.run(
            command, shell=True, cwd=clone, env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, f"{command}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    made = clone / "runs" / "cityscapes"
    before, after = (
        json.loads((made / f"{name}.json").read_text()) for name in ("before", "after")
    )
    assert before["images"] == after["images"] == 40
    assert len(after["by_group"]) == 5
    assert after["miou"] > before["miou"]
    report = json.loads((made / "network.json").read_text())
    assert report["accepted"] and report["float_operators"] == []
    dataset = json.loads((made / "dataset.json").read_text())
    assert dataset["splits"]["train"]["frames"] == 160 and not dataset["splits"]["train"]["damaged"]
    assert "<h2>Worst frames</h2>" in (made / "after.html").read_text()
    # What comes out drives: the daemon's own command reads it.
    assert roadmask(["inspect", str(made / "network.tflite")]) == 0
    assert "refused" not in capsys.readouterr().err
