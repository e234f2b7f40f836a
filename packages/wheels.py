"""``make wheels``: roadmask's wheels for x86-64 and aarch64, built here, into ``dist/``.

One for each of CPython 3.10 and 3.11, and one for 3.12 and all later (stable ABI), as far as these
interpreters are here.

Zig's Clang compiles both against glibc 2.17, so that systems older than this one run them too
(manylinux2014). ``make test-arm64`` asks the kernels of the second for their answers under QEMU.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from packages.workplace import make, run, workplace
from packages.zig import toolchain
from roadmask.system.command_line import Parser
from tests.pythons import interpreter, output

PROJECT = Path(__file__).resolve().parents[1]
MACHINES = ("x86_64", "aarch64")
VERSIONS = ("3.10", "3.11", "3.12")
_TAG = "manylinux_2_17"


def main() -> int:
    """Build them; prints their paths."""
    parser = Parser(prog="make wheels", description=__doc__)
    parser.add_argument("--machine", action="append", choices=MACHINES, help="default: both")
    parser.add_argument("--python", action="append", choices=VERSIONS, help="default: all")
    parser.add_argument("--out", type=Path, default=PROJECT / "dist")
    options = parser.parse_args()

    def body() -> int:
        options.out.mkdir(exist_ok=True)
        for version in options.python or VERSIONS:
            python = interpreter(version)
            if not python:
                print(f"make wheels: no Python {version} here, so no wheel for it", file=sys.stderr)
                continue
            for machine in options.machine or MACHINES:
                with workplace("roadmask-wheel-") as folder:
                    print(_build(folder, python, machine, options.out), flush=True)
        return 0

    return make(body)


def _build(folder: Path, python: str, machine: str, out: Path) -> Path:
    platform = f"linux-{machine}"
    suffix = output(python, "-c", "import sysconfig as s; print(s.get_config_var('EXT_SUFFIX'))")
    for other in MACHINES:
        suffix = suffix.replace(other, machine)
    environment = os.environ | {
        # What Python would say on that machine.
        "_PYTHON_HOST_PLATFORM": platform,
        "SETUPTOOLS_EXT_SUFFIX": suffix,
        "CMAKE_TOOLCHAIN_FILE": str(toolchain(folder, machine)),
    }
    # This pip on that interpreter: its own may be too old.
    command = [sys.executable, "-m", "pip", f"--python={python}", "wheel", "--quiet"]
    command += ["--no-deps", f"-w{folder}", "-C", f"build-dir={folder}/build", str(PROJECT)]
    run(command, folder, environment)
    (built,) = folder.glob("*.whl")
    tagged = _audited(built, machine)
    return Path(shutil.move(tagged, out / tagged.name))


def _audited(wheel: Path, machine: str) -> Path:
    """The same wheel under the tag of its glibc, once nothing in it needs a newer one."""
    tag = f"{_TAG}_{machine}.manylinux2014_{machine}"
    show = [sys.executable, "-m", "auditwheel", "show", str(wheel)]
    said = subprocess.run(show, check=True, capture_output=True, text=True).stdout
    if f'"{_TAG}_{machine}"' not in " ".join(said.split()):
        raise SystemExit(f"make wheels: {wheel.name} needs more than {_TAG}:\n{said}")
    retag = [sys.executable, "-m", "wheel", "tags", "--remove", f"--platform-tag={tag}", str(wheel)]
    name = subprocess.run(retag, check=True, capture_output=True, text=True).stdout.split()[-1]
    return wheel.with_name(name)


if __name__ == "__main__":
    sys.exit(main())
