"""Zig's Clang, which compiles for both machines against glibc 2.17, as CMake is told of it."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from packages.workplace import MakingError

_TOOLCHAIN = """\
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR {machine})
set(CMAKE_C_COMPILER {folder}/cc)
set(CMAKE_CXX_COMPILER {folder}/c++)
"""
_COMPILER = """\
#!/bin/sh
exec {zig} {language} -target {machine}-linux-gnu.2.17 "$@"
"""


def toolchain(folder: Path, machine: str) -> Path:
    """A toolchain file for that machine, in ``folder``, where its compilers lie too."""
    for language in ("cc", "c++"):
        compiler = folder / language
        compiler.write_text(_COMPILER.format(zig=_zig(), language=language, machine=machine))
        compiler.chmod(0o755)
    path = folder / "toolchain.cmake"
    path.write_text(_TOOLCHAIN.format(machine=machine, folder=folder))
    return path


def _zig() -> Path:
    """The compiler's own file: the build runs in an environment that does not hold its package."""
    spec = importlib.util.find_spec("ziglang")
    if spec is None or spec.origin is None:
        raise MakingError("no Zig here: pip install --group wheels")
    return Path(spec.origin).with_name("zig")
