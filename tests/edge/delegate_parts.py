"""A TensorFlow Lite delegate that computes nothing and fails as it is told, compiled here."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

_SOURCE = Path(__file__).parent / "inference" / "delegate.c"


def compiled_delegate(folder: Path) -> str:
    """The path of the shared library; skips the test where there is no C compiler."""
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        pytest.skip("no C compiler")
    library = folder / "libtestdelegate.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-o", library, _SOURCE], check=True)
    return str(library)
