"""What a user's terminal shows beside our own lines: nothing of the libraries below."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
WITHOUT_KERAS = "import sys; sys.modules['keras'] = None\n"


@pytest.mark.parametrize(
    ("before", "epochs", "words"),
    [
        ("", "0", "--epochs 0: expected a whole number, 1 or more"),
        (WITHOUT_KERAS, "1", "training needs keras"),
    ],
)
def test_one_line_and_no_page_of_a_library(
    before: str, epochs: str, words: str, tmp_path: Path
) -> None:
    script = f"{before}import sys\nfrom train.__main__ import main\nsys.exit(main())"
    arguments = ["--dataset", "town", "--epochs", epochs, "--out", str(tmp_path / "run")]
    environment = {k: v for k, v in os.environ.items() if k != "TF_CPP_MIN_LOG_LEVEL"}
    result = subprocess.run(
        [sys.executable, "-c", script, *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert result.returncode == 2
    lines = (result.stdout + result.stderr).strip().splitlines()
    assert len(lines) == 1 and words in lines[0]
