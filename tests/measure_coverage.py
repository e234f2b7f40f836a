"""``make coverage``: which lines of the stream's code its own tests run, in Python and C++.

An environment of its own takes its libraries from the one that runs this, and holds the package
with its extension compiled to count lines; the C++ programs that tests drive count too. Exit code 1
if a test failed or a share is under its gate.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BUILD = ROOT / "build" / "coverage"
# Per cent of lines, what was measured last rounded down: they may rise, not fall.
GATES = {"edge/roadmask/stream": 94, "edge/cpp/src": 93}
TESTS = ("tests/edge/stream", "tests/edge/testing", "tests/edge/system/test_clock.py")
# Links the static library without the runtime that counts.
INSTALLED = "tests/edge/stream/test_cpp_installation.py"
COUNTING = {"CXXFLAGS": "--coverage -fprofile-update=atomic", "LDFLAGS": "--coverage"}
SETTINGS = """\
[run]
source = roadmask.stream
parallel = true
patch = subprocess
sigterm = true
data_file = {folder}/python
"""


def environment() -> Path:
    """Its interpreter; the extension is built anew, so that no old counts are in it."""
    shutil.rmtree(BUILD, ignore_errors=True)
    subprocess.run([sys.executable, "-m", "venv", BUILD / "venv"], check=True)
    own = BUILD / "venv" / "bin" / "python"
    packages = next((BUILD / "venv" / "lib").glob("*/site-packages"))
    paths = [path for path in sys.path if path.endswith("site-packages")]
    # Last, so that the package is the one that counts.
    (packages / "zz_libraries.pth").write_text("\n".join(paths) + "\n")
    pip = [own, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    here = ["--no-deps", "--force-reinstall", f"-Cbuild-dir={BUILD / 'extension'}", "."]
    for what in (["pip>=25.1"], ["--group", "coverage"], here):
        subprocess.run([*pip, *what], check=True, cwd=ROOT, env={**os.environ, **COUNTING})
    return own


def run_tests(own: Path) -> bool:
    """Run them, counting; whether they passed. What a failed one ran is counted too."""
    settings = BUILD / "coveragerc"
    settings.write_text(SETTINGS.format(folder=BUILD))
    told = {**os.environ, **COUNTING, "ROADMASK_CPP_BUILD": str(BUILD / "cpp")}
    command = [own, "-m", "coverage", "run", f"--rcfile={settings}", "-m", "pytest", "-q"]
    command += ["-p", "no:cacheprovider", f"--ignore={INSTALLED}", *TESTS]
    return subprocess.run(command, cwd=ROOT, env=told).returncode == 0


def python_lines(own: Path) -> float:
    """The share of the package's lines that ran, in whichever process."""
    settings, result = f"--rcfile={BUILD / 'coveragerc'}", BUILD / "python.json"
    for command in (["combine", "-q", settings], ["json", "-q", settings, "-o", str(result)]):
        subprocess.run([own, "-m", "coverage", *command], check=True, cwd=BUILD)
    return float(json.loads(result.read_text())["totals"]["percent_covered"])


def native_lines(own: Path) -> float:
    """The share of the C++ client's lines that the same run counted."""
    result = BUILD / "cpp.json"
    command = [own, "-m", "gcovr", "--root", ROOT, "--filter", "edge/cpp/src/"]
    command += ["--merge-mode-functions=separate", "--json-summary", result, "--txt", "-"]
    # Of the client only: the extension's other objects name headers that its build took along.
    objects = BUILD.glob("*/edge/cpp/CMakeFiles/*.dir/src")
    subprocess.run([*command, *objects], check=True, cwd=ROOT)
    return float(json.loads(result.read_text())["line_percent"])


def main() -> int:
    """0 if the tests passed and no share is under its gate."""
    own = environment()
    passed = run_tests(own)
    shares = dict(zip(GATES, (python_lines(own), native_lines(own)), strict=True))
    for folder, gate in GATES.items():
        print(f"{folder}: {shares[folder]:.1f} % of the lines ran, the gate is {gate} %")
    return int(not passed or any(shares[folder] < gate for folder, gate in GATES.items()))


if __name__ == "__main__":
    sys.exit(main())
