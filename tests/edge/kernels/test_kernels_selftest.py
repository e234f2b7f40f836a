"""The kernels' C++ self-test: every level of this CPU against the scalar one, without Python."""

from __future__ import annotations

import subprocess

import pytest
from cpp_parts import built, tool


@pytest.mark.slow  # compiles the kernels once more; test_kernels.py covers the levels
def test_every_level_equals_scalar() -> None:
    build = built()
    made = subprocess.run(
        [tool("cmake"), "--build", str(build), "--target", "kernels_selftest"],
        capture_output=True,
        text=True,
    )
    assert made.returncode == 0, made.stdout + made.stderr
    done = subprocess.run(
        [str(build / "tests" / "kernels_selftest"), "60"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert " 0 failures" in done.stdout
