"""Broken boards: a delegate that computes nothing and fails as it is told, damaged engines."""

from __future__ import annotations

import os
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


def damaged_engines(folder: Path, monkeypatch: pytest.MonkeyPatch, damage: str) -> Path:
    """A file: while it is there, fresh engines' processes do ``damage`` after each invocation."""
    flag = folder / "damaged"
    (folder / "sitecustomize.py").write_text(
        f"""
import os, sys
if os.path.exists({str(flag)!r}) and "roadmask.inference.engine_worker" in sys.orig_argv:
    import time
    from roadmask.inference.engine import Engine
    invoke_direct = Engine.invoke_direct
    def damaged(self):
        invoke_direct(self)
        {damage}
    Engine.invoke_direct = damaged
"""
    )
    monkeypatch.setenv("PYTHONPATH", str(folder), prepend=os.pathsep)
    return flag
