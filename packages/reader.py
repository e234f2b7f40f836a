"""``make test-arm64``: the C++ example reader for that machine, compiled here."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from packages.workplace import make, run, workplace
from packages.zig import toolchain
from roadmask.system.command_line import Parser

PROJECT = Path(__file__).resolve().parents[1]


def main() -> int:
    """Build it; prints its path."""
    parser = Parser(prog="python -m packages.reader", description=__doc__)
    parser.add_argument("--machine", default="aarch64", choices=("x86_64", "aarch64"))
    parser.add_argument("--out", type=Path, default=PROJECT / "dist")
    options = parser.parse_args()

    def body() -> int:
        options.out.mkdir(exist_ok=True)
        tools = Path(sys.executable).parent
        with workplace("roadmask-reader-") as folder:
            configure = [str(tools / "cmake"), "-S", str(PROJECT), "-B", str(folder / "build")]
            configure += ["-G", "Ninja", f"-DCMAKE_MAKE_PROGRAM={tools / 'ninja'}"]
            configure += [f"-DCMAKE_TOOLCHAIN_FILE={toolchain(folder, options.machine)}"]
            configure += ["-DROADMASK_PYTHON=OFF", "-DCMAKE_BUILD_TYPE=Release"]
            configure += ["-DCMAKE_CXX_FLAGS=-w", "--log-level=WARNING"]
            run(configure, folder)
            build = [str(tools / "cmake"), "--build", str(folder / "build")]
            run([*build, "--target", "subscribe", "--", "--quiet"], folder)
            program = options.out / f"subscribe-{options.machine}"
            shutil.copy(folder / "build/edge/cpp/examples/subscribe", program)
        print(program)
        return 0

    return make(body)


if __name__ == "__main__":
    sys.exit(main())
