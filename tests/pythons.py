"""``make test-pythons``: the edge tests on every supported Python, each from an installed wheel.

An interpreter is taken from PATH, from pyenv, or from uv, which brings one where it may; one that
is nowhere is told as such. Further arguments are files and folders of ``tests/edge``, where not all
of it is to run. ``--write`` puts the result into ``docs/testing.md``; what other Pythons gave
before stays there.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
from datetime import date
from pathlib import Path

VERSIONS = ("3.10", "3.11", "3.12", "3.13")
ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "build" / "pythons"
PAGE = ROOT / "docs" / "testing.md"
BEGIN, END = "<!-- pythons -->\n", "<!-- /pythons -->"
EXTRAS = "record,models,metrics,foxglove,zenoh,ros2,cloud,web"
PARALLEL = ("-n", "logical", "--maxprocesses", "4", "--dist", "loadfile")


def output(*command: object) -> str:
    """What a command prints; empty where it fails or is not there."""
    try:
        done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
    except OSError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def interpreter(version: str) -> str:
    """Path of such an interpreter; "" if there is none."""
    pyenv = sorted(Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")).glob("versions/*"))
    found = [shutil.which(f"python{version}") or "", *(f"{p}/bin/python{version}" for p in pyenv)]
    if shutil.which("uv"):
        subprocess.run(["uv", "python", "install", "--quiet", version], check=False)
        found.append(output("uv", "python", "find", version))
    said = "import sys; print('%d.%d' % sys.version_info[:2])"
    return next((path for path in found if path and output(path, "-c", said) == version), "")


def environment(version: str, python: str) -> Path:
    """The interpreter of a fresh environment that holds the wheel and what the edge tests need."""
    folder = FOLDER / version
    shutil.rmtree(folder, ignore_errors=True)
    subprocess.run([python, "-m", "venv", folder], check=True)
    own = folder / "bin" / "python"
    pip = [own, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "pip>=25.1"], check=True)
    subprocess.run([*pip, "--group", "test-edge", f".[{EXTRAS}]"], check=True, cwd=ROOT)
    where = output(own, "-c", "import roadmask; print(roadmask.__file__)")
    assert str(folder) in where, f"not the installed wheel: {where}"
    return own


def closing_line(log: str) -> str:
    """Of pytest, or "" where it wrote none; told to say more, it frames that line."""
    lines = [line.strip("= ") for line in log.splitlines()]
    return next((line for line in lines[::-1] if re.match(r"\d+ \w+.* in \d", line)), "")


def run(version: str, arguments: list[str]) -> str:
    """The line that pytest closes with, or why there is none."""
    python = interpreter(version)
    if not python:
        return "not installed"
    try:
        own = environment(version, python)
    except subprocess.CalledProcessError:  # the others run; pip has said why
        return "the package could not be installed"
    told = output(own, "-c", "import platform; print(platform.python_version())")
    log = FOLDER / f"{version}.log"
    tests = arguments or ["tests/edge"]
    with log.open("w") as file:
        subprocess.run(
            [own, "-m", "pytest", "-q", "-p", "no:cacheprovider", *PARALLEL, *tests],
            stdout=file,
            stderr=subprocess.STDOUT,
            cwd=ROOT,
        )
    return f"{told}: {closing_line(log.read_text()) or f'no result, see {log}'}"


def write(results: dict[str, str], what: str) -> None:
    """Put them into the page's table, a row a Python."""
    before, _, rest = PAGE.read_text().partition(BEGIN)
    table, _, after = rest.partition(END)
    rows = dict(re.findall(r"^\| (3\.\d+) (\|.*)$", table, re.MULTILINE))
    where = f"{date.today()}, {os.uname().machine}"
    rows |= {version: f"| {told} | {what} | {where} |" for version, told in results.items()}
    head = "| Python | result | of `tests/edge` | when, where |\n|---|---|---|---|\n"
    body = "".join(f"| {version} {rows[version]}\n" for version in VERSIONS if version in rows)
    PAGE.write_text(f"{before}{BEGIN}\n{head}{body}\n{END}{after}")


def main() -> int:
    """0 if every Python that is here passed, and one was."""
    parser = argparse.ArgumentParser(prog="make test-pythons", description=__doc__)
    parser.add_argument("--write", action="store_true", help="the result into docs/testing.md")
    parser.add_argument("--only", action="append", choices=VERSIONS, help="may stand repeatedly")
    options, arguments = parser.parse_known_args()
    results = {}
    for version in options.only or VERSIONS:
        results[version] = run(version, arguments)
        print(f"Python {version}: {results[version]}", flush=True)
    if options.write:
        write(results, ", ".join(arguments).replace("tests/edge/", "") or "all")
    ran = [result for result in results.values() if result != "not installed"]
    return int(not ran or any("passed" not in r or "failed" in r or "error" in r for r in ran))


if __name__ == "__main__":
    sys.exit(main())
