"""One conversion of the small network of the zoo, which all tests share."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

SMALL_TOWN = "synthetic:town?seed=1&width=160&height=96&prerender=2"
SMALL_DRIVE = "synthetic:town?seed=1&width=160&height=96"


@dataclass(frozen=True)
class Converted:
    """A conversion by the command.

    Attributes:
        keras_file: what went in.
        model, report: what came out.
        arguments: of the command.
        printed: its standard output.
    """

    keras_file: Path
    model: Path
    report: Path
    arguments: list[str]
    printed: str


@pytest.fixture(scope="session")
def converted(
    keras_file: Path, camvid_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Converted:
    import contextlib
    import io

    from convert.__main__ import main

    out = tmp_path_factory.mktemp("converted") / "tiny.tflite"
    arguments = [
        *(str(keras_file), "--calibration", str(camvid_folder / "train")),
        *("--eval-dataset", "camvid", "--eval-root", str(camvid_folder)),
        *("--source", SMALL_TOWN, "--latency-frames", "20", "--video", SMALL_DRIVE),
        # Random weights leave near ties: a category of few pixels may move by points.
        *("--max-miou-drop", "100", "--max-category-drop", "100", "--min-agreement", "0"),
        *("--min-miou", "0", "--no-history"),
    ]
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        assert main([*arguments, "--out", str(out)]) == 0
    return Converted(keras_file, out, out.with_suffix(".json"), arguments, printed.getvalue())
