"""kill -9 during training, in the middle of checkpoints too, changes no byte of the weights."""

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.train import killed_run

PATHS = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}


@pytest.mark.parametrize(
    ("kills", "how"), [(2, "eager"), pytest.param(10, "graph", marks=pytest.mark.slow)]
)
def test_killed_runs_end_with_the_same_weights(
    kills: int, how: str, camvid_folder: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    if how == "eager":
        request.getfixturevalue("eager")
    whole = killed_run.make_fit(camvid_folder, tmp_path / "whole", kills, checkpoint_s=1000)
    whole.run()

    script = [sys.executable, str(killed_run.__file__)]
    arguments = [str(camvid_folder), str(tmp_path / "killed"), str(kills), "seed 1", how]
    result = subprocess.run(
        [*script, *arguments],
        capture_output=True,
        text=True,
        timeout=140 * kills,
        check=True,
        env=PATHS,
    )
    print(result.stdout, result.stderr)
    report = re.search(r"killed (\d+), half-written (\d+), last status 0", result.stdout)
    assert report is not None
    assert int(report[1]) == kills
    assert int(report[2]) >= kills // 2  # every second one struck while a checkpoint was written

    resumed = killed_run.make_fit(camvid_folder, tmp_path / "killed", kills, checkpoint_s=1000)
    assert resumed.progress.finished or resumed.progress.epoch == resumed.config.epochs
    for a, b in zip(whole.model.get_weights(), resumed.model.get_weights(), strict=True):
        assert np.asarray(a).tobytes() == np.asarray(b).tobytes()
    assert resumed.progress.history == whole.progress.history
    for name in ("history.csv", "scores.json"):
        assert (tmp_path / "killed" / name).read_text() == (tmp_path / "whole" / name).read_text()
    assert not list((tmp_path / "killed").glob(".*"))  # half-written files are cleared away
