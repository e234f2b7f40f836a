"""Ctrl-C at random moments of every long command: exit code 130, one line, nothing half-written."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

TRAIN = ["train", "--model", "unet_mini", "--dataset", "town", "--size", "64x64", "--seed", "3"]
TRAIN += ["--val-split", "none", "--checkpoint-every", "0.2"]
COMMANDS = {
    "convert": ["convert", "train/weights/roadlite.keras", "--size", "288x224", "--no-history"],
    "accuracy": ["benchmarks", "accuracy", "roadlite-288x224", "--dataset", "town"],
    "latency": ["benchmarks", "latency", "roadlite-288x224"],
    "peers": ["benchmarks", "peers", "roadlite-288x224"],
    "train": [*TRAIN, "--epochs", "50"],
}
OUTPUT = {"convert": ["--out", "m.tflite"], "train": ["--out", "run"]}
ROOT = Path(__file__).parents[2]


@pytest.mark.slow
@pytest.mark.parametrize("name", COMMANDS)
def test_ten_random_moments(name: str, tmp_path: Path) -> None:
    if name == "peers" and not (ROOT / ".venv-peers").is_dir():
        pytest.skip("no .venv-peers: make setup-peers")
    moments = random.Random(name)
    option, file = OUTPUT.get(name, ["--json", "result.json"])
    command = [sys.executable, "-m", *COMMANDS[name], option, str(tmp_path / file)]
    stopped = 0
    for _ in range(10):
        process = subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        try:
            process.wait(moments.uniform(1.5, 30.0))
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGINT)
        _, error = process.communicate(timeout=60)
        assert process.returncode in (0, 130), error
        stopped += process.returncode == 130
        assert "Traceback" not in error
        assert not list(tmp_path.rglob(".*"))
    assert stopped


@pytest.mark.slow
def test_a_training_that_was_interrupted_goes_on_exactly(
    tmp_path: Path, camvid_folder: Path
) -> None:
    pytest.importorskip("keras")
    import numpy as np

    def start(out: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", *TRAIN, "--dataset", "camvid", "--root"]
        command += [str(camvid_folder), "--batch-size", "2", "--epochs", "40"]
        return subprocess.Popen([*command, "--out", str(tmp_path / out)], cwd=ROOT)

    assert start("whole").wait(280) == 0
    files = [tmp_path / name / "checkpoint.npz" for name in ("whole", "cut")]
    moments = random.Random(1)
    for _ in range(2):
        process, before = start("cut"), written(files[1])
        while process.poll() is None and written(files[1]) == before:
            with suppress(subprocess.TimeoutExpired):
                process.wait(0.05)
        with suppress(subprocess.TimeoutExpired):
            process.wait(moments.uniform(0, 0.5))
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130
    assert start("cut").wait(280) == 0
    with np.load(files[0], allow_pickle=False) as a, np.load(files[1], allow_pickle=False) as b:
        weights = [key for key in a.files if a[key].dtype.kind == "f"]
        assert weights
        for key in weights:
            np.testing.assert_array_equal(a[key], b[key])


def written(path: Path) -> int:
    """When that was; 0: never."""
    return path.stat().st_mtime_ns if path.exists() else 0
