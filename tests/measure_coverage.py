"""``make coverage``: which lines of the stream's code its own tests run, in Python and C++.

The wheel is installed into an environment of its own, its extension compiled to count lines, the
C++ programs that tests drive as well. Exit code 1 if a share is under its gate.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from pythons import EXTRAS, FOLDER, ROOT, interpreter

BUILD = FOLDER.parent / "coverage"
# Per cent of lines, a little under what was measured last: they may rise, not fall.
GATES = {"edge/roadmask/stream": 90.0, "edge/cpp/src": 90.0}
COUNTING = dict(os.environ, CXXFLAGS="--coverage", LDFLAGS="--coverage")


def environment() -> Path:
    """Its interpreter; the extension is built anew, so that no old counts are in it."""
    own = BUILD / "venv" / "bin" / "python"
    if not own.exists():
        python = interpreter(".".join(map(str, sys.version_info[:2])))
        subprocess.run([python, "-m", "venv", BUILD / "venv"], check=True)
    pip = [own, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    shutil.rmtree(BUILD / "extension", ignore_errors=True)
    for what in (
        ["pip>=25.1"],
        ["--group", "test-edge", "coverage>=7.5", "gcovr>=7", f".[{EXTRAS}]"],
        ["--force-reinstall", "--no-deps", f"-Cbuild-dir={BUILD / 'extension'}", "."],
    ):
        subprocess.run([*pip, *what], check=True, cwd=ROOT, env=COUNTING)
    return own


def python_lines(own: Path) -> float:
    """Run the tests; the share of the package's lines that ran."""
    data = BUILD / "python"
    told = dict(COUNTING, ROADMASK_CPP_BUILD=str(BUILD / "cpp"), COVERAGE_FILE=str(data))
    command = [own, "-m", "coverage", "run", "--source=roadmask.stream", "-m", "pytest", "-q"]
    subprocess.run(
        [*command, "-p", "no:cacheprovider", "tests/edge/stream"], check=True, cwd=ROOT, env=told
    )
    result = BUILD / "python.json"
    subprocess.run([own, "-m", "coverage", "json", "-q", "-o", result], check=True, env=told)
    return float(json.loads(result.read_text())["totals"]["percent_covered"])


def native_lines(own: Path) -> float:
    """The share of the C++ client's lines that the same run counted."""
    result = BUILD / "cpp.json"
    places = [BUILD / "extension", BUILD / "cpp"]
    command = [own, "-m", "gcovr", "--root", ROOT, "--filter", "edge/cpp/src/", *places]
    command += ["--merge-mode-functions=separate", "--json-summary", result, "--txt"]
    subprocess.run(command, check=True, cwd=ROOT)
    return float(json.loads(result.read_text())["line_percent"])


def main() -> int:
    """0 if no share is under its gate."""
    BUILD.mkdir(parents=True, exist_ok=True)
    own = environment()
    shares = dict(zip(GATES, (python_lines(own), native_lines(own)), strict=True))
    for folder, gate in GATES.items():
        print(f"{folder}: {shares[folder]:.1f} % of the lines ran, the gate is {gate:g} %")
    return int(any(shares[folder] < gate for folder, gate in GATES.items()))


if __name__ == "__main__":
    sys.exit(main())
