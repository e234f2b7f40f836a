"""What is wrong with the options shows before TensorFlow, whose import takes 10 s and more."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from train.loss_spec import OPTIONS
from train.losses import TERMS
from train.models import MODELS
from train.zoo import NETWORKS

TRAIN = ["--dataset", "town", "--val-split", "none", "--out", "OUT"]
REFUSED = {
    "train": [
        ["--model=roadnett"],
        ["--size=100x64"],
        ["--crop=10x10"],
        ["--loss=dize"],
        ["--loss=focal(x=1)"],
        ["--recipe=ful"],
        ["--epochs=0"],
        ["--labels=nope"],
        ["--dataset=camvid", "--root=/nowhere"],
        ["--mix=town=2"],
        ["--teacher=x"],
    ],
    "convert": [
        ["none.keras"],
        ["POINTER"],
        ["EMPTY", "--calibration=/nowhere"],
        ["EMPTY", "--labels=nope"],
        ["EMPTY", "--eval-dataset=camvid", "--eval-root=/nowhere"],
    ],
    "benchmarks": [["accuracy", "none.keras"], ["accuracy", "POINTER"]],
}
PROGRAM = """
import importlib, json, sys
main = importlib.import_module(sys.argv[1] + ".__main__").main
codes = []
for arguments in json.loads(sys.argv[2]):
    try:
        codes.append(main(arguments))
    except SystemExit as end:
        codes.append(end.code)
print(json.dumps([codes, "keras" in sys.modules or "tensorflow" in sys.modules]))
"""


@pytest.mark.parametrize("command", REFUSED)
def test_a_refusal_loads_no_tensorflow(command: str, tmp_path: Path) -> None:
    pointer, empty = tmp_path / "pointer.keras", tmp_path / "empty.keras"
    pointer.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:1\n")
    empty.write_bytes(zip_of_nothing())
    out = {"train": str(tmp_path / "run"), "convert": str(tmp_path / "m.tflite")}
    given = []
    for arguments in REFUSED[command]:
        words = [w.replace("POINTER", str(pointer)).replace("EMPTY", str(empty)) for w in arguments]
        if command == "train":
            words = [w.replace("OUT", out["train"]) for w in TRAIN] + words
        if command == "convert":
            words += ["--out", out["convert"]]
        given.append(words)
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, command, json.dumps(given)],
        capture_output=True,
        text=True,
        timeout=120,
    )
    codes, loaded = json.loads(done.stdout.splitlines()[-1])
    assert codes == [2] * len(given), done.stderr
    assert not loaded, done.stderr
    assert done.stderr.count("\n") == len(given), done.stderr
    assert not any(Path(path).exists() for path in out.values())


def zip_of_nothing() -> bytes:
    import io
    import zipfile

    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w") as archive:
        archive.writestr("config.json", "{}")
    return memory.getvalue()


def test_the_tables_without_keras_are_those_with_it() -> None:
    import inspect

    assert list(MODELS) == list(NETWORKS)
    for name, term in TERMS.items():
        known = [p for p in inspect.signature(term).parameters if p != "pixels"]
        assert tuple(known) == OPTIONS[name]
    assert list(TERMS) == list(OPTIONS)
