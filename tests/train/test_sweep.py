"""A sweep: its file, and two processes at one study, of which one is killed."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from roadmask.errors import ConfigError
from train.__main__ import main
from train.sweep.plan import Range, arguments, read_plan

ROOT = Path(__file__).parents[2]
PLAN = """
[sweep]
sampler = "grid"
trials = 4
heartbeat_s = 2
prune = false
[options]
model = "unet_mini"
dataset = "camvid"
root = "{root}"
size = "64x64"
epochs = 3
validate_every = 1
checkpoint_every = 0.2
[search]
learning_rate = [1e-3, 1e-2]
batch_size = [2, 4]
"""


def plan(folder: Path, text: str) -> Path:
    path = folder / "plan.toml"
    path.write_text(text)
    return path


def test_the_file_is_read(tmp_path: Path) -> None:
    text = "[search]\nlearning_rate = { low = 1e-4, high = 1e-2, log = true }\nmodel = ['s', 'm']"
    found = read_plan(plan(tmp_path, "[options]\nmix = ['town=0.2']\n" + text))
    assert found.search["learning_rate"] == Range(1e-4, 1e-2, True, False)
    assert found.search["model"] == ("s", "m")
    assert found.sampler == "tpe" and found.seeds == (1,)
    assert arguments(found.options) == ["--mix", "town=0.2"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[search]", "is empty"),
        ("[sweeep]", r"\[sweeep\]: expected"),
        ("[sweep]\ntrails = 3\n[search]\nepochs = [1]", "sweep.trails"),
        ("[sweep]\ntrials = 'x'\n[search]\nepochs = [1]", "expected a int"),
        ("[sweep]\ntrials = 0\n[search]\nepochs = [1]", "1 or more"),
        ("[sweep]\nsampler = 'x'\n[search]\nepochs = [1]", "tpe, random, grid"),
        ("[sweep]\nseeds = [1, 1]\n[search]\nepochs = [1]", "different whole numbers"),
        ("[search]\nepochs = 3", "expected values"),
        ("[search]\nepochs = { low = 3, high = 1 }", "expected values"),
        ("[search]\nseed = [1, 2]", "given by the sweep"),
        ("[options]\nepochs = 1\n[search]\nepochs = [1, 2]", "twice"),
        ("[sweep]\nsampler = 'grid'\n[search]\nepochs = { low = 1, high = 3 }", "a grid takes"),
    ],
)
def test_what_cannot_be_meant_is_refused(text: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=words):
        read_plan(plan(tmp_path, text))


def test_an_option_that_training_refuses_shows_before_anything_runs(
    tmp_path: Path, camvid_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = PLAN.format(root=camvid_folder).replace("[2, 4]", "[2, 0]")
    out = tmp_path / "out"
    with pytest.raises(SystemExit) as ended:
        main(["sweep", str(plan(tmp_path, text)), "--out", str(out)])
    assert ended.value.code == 2 and "--batch-size" in capsys.readouterr().err
    assert not out.exists()


@pytest.mark.slow
def test_two_processes_share_a_study_and_one_is_killed(tmp_path: Path, camvid_folder: Path) -> None:
    out = tmp_path / "out"
    command = [sys.executable, "-m", "train", "sweep"]
    command += [str(plan(tmp_path, PLAN.format(root=camvid_folder))), "--out", str(out)]

    def start() -> subprocess.Popen[str]:
        return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                text=True)  # fmt: skip

    first, second = start(), start()
    deadline = time.monotonic() + 240
    while not (begun := list(out.glob("trial-*/seed-1/checkpoint.npz"))):
        assert time.monotonic() < deadline
        with suppress(subprocess.TimeoutExpired):
            first.wait(0.2)
    first.send_signal(signal.SIGKILL)  # its training ends with it
    first.wait(30)
    said, _ = second.communicate(timeout=1200)
    assert second.returncode == 0, said
    result = json.loads((out / "sweep.json").read_text())
    assert len(result["ranking"]) == 4
    assert {tuple(row["options"].values()) for row in result["ranking"]} == {
        (rate, batch) for rate in (1e-3, 1e-2) for batch in (2, 4)
    }
    values = [row["value"] for row in result["ranking"]]
    assert values == sorted(values, reverse=True)
    assert begun and len({row["folder"] for row in result["ranking"]}) == 4
    for row in result["ranking"]:
        run = json.loads((Path(row["folder"]) / "seed-1" / "run.json").read_text())
        assert run["finished"]
