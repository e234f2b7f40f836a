"""spin walks every interleaving of the ring's model; each ordering left out must break it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from cpp_parts import REPOSITORY, tool

MODEL = REPOSITORY / "tests" / "spin" / "ring.pml"


def errors(folder: Path, *definitions: str) -> int:
    """Errors that an exhaustive search of the model finds (it stops at the first)."""
    options = [f"-D{name}" for name in definitions]
    subprocess.run([tool("spin"), "-a", *options, str(MODEL)], cwd=folder, check=True)
    subprocess.run([tool("cc"), "-O2", "-w", "-o", "pan", "pan.c"], cwd=folder, check=True)
    done = subprocess.run(
        ["./pan", "-m100000"], cwd=folder, check=True, capture_output=True, text=True
    )
    assert "max search depth too small" not in done.stdout
    return int(done.stdout.split("errors: ")[1].split()[0])


def test_no_torn_read_is_accepted(tmp_path: Path) -> None:
    assert errors(tmp_path) == 0


def test_no_torn_view_is_valid(tmp_path: Path) -> None:
    assert errors(tmp_path, "VIEWS") == 0


@pytest.mark.parametrize("missing", ["NO_VIEW_ACQUIRE", "NO_VIEW_FENCE"])
def test_a_view_needs_both_orderings(tmp_path: Path, missing: str) -> None:
    assert errors(tmp_path, "VIEWS", missing) == 1


@pytest.mark.parametrize("kind", [(), ("VIEWS",)])
def test_the_claim_is_not_empty(tmp_path: Path, kind: tuple[str, ...]) -> None:
    assert errors(tmp_path, "SOME_READ_SUCCEEDS", *kind) == 1


@pytest.mark.slow
@pytest.mark.parametrize(
    "missing", ["NO_FENCE", "NO_RELEASE", "NO_ACQUIRE", "NO_READ_FENCE", "NO_CLEAR"]
)
def test_every_ordering_is_needed(tmp_path: Path, missing: str) -> None:
    assert errors(tmp_path, missing) == 1
