"""Ctrl-C at random moments of every long command: exit code 130, one line, nothing half-written."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
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
def test_a_training_that_was_interrupted_goes_on_exactly(tmp_path: Path) -> None:
    pytest.importorskip("keras")
    import numpy as np

    def command(out: str) -> list[str]:
        return [sys.executable, "-m", *TRAIN, "--epochs", "2", "--out", str(tmp_path / out)]

    subprocess.run(command("whole"), cwd=ROOT, check=True, capture_output=True, timeout=600)
    moments, code, tries = random.Random(1), 130, 0
    while code == 130:
        tries += 1
        process = subprocess.Popen(
            command("cut"), cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            process.wait(moments.uniform(15, 30) if tries < 5 else 600)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGINT)
        code = process.wait(60)
    assert code == 0 and tries > 1
    files = [tmp_path / name / "checkpoint.npz" for name in ("whole", "cut")]
    with np.load(files[0], allow_pickle=False) as a, np.load(files[1], allow_pickle=False) as b:
        weights = [key for key in a.files if a[key].dtype.kind == "f"]
        assert weights
        for key in weights:
            np.testing.assert_array_equal(a[key], b[key])
