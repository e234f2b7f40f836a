"""``make test-v4l2``: the camera tests on real V4L2 drivers, in a virtual machine.

Boots Debian's kernel under QEMU with this machine's files as its root, read-only, and runs
``check_capture.py`` and ``check_daemon.py`` in it: ``uvcvideo`` with an emulated USB webcam, and
``vivid``. ``make test-pi`` boots the arm64 kernel on a Raspberry Pi 4's core instead, with a folder
as its root in which the arm64 package is installed, and runs ``check_pi.py``. Needs QEMU, kmod and
busybox (apt install qemu-system-x86 kmod busybox-static; qemu-system-arm for the Pi) and no camera,
no network in the guest and, where /dev/kvm is missing, patience.
"""

from __future__ import annotations

import os
import shlex
import shutil
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from frames import write_frames
from kernel import VIVID, WEBCAM, fetch_kernel
from machine import CLOSING, PC, PI, Board, Machine

from roadmask.system.command_line import Parser, run_command, unwind_on_sigterm

HERE = Path(__file__).resolve().parent
PROJECT = HERE.parents[1]
WORK = "/run/guest"  # the guest's name of the folder that is made for it
# What the guest is told of this machine's environment, where it runs on this machine's files.
_KEPT = ("PATH", "LANG", "PYTHONPATH", "VIRTUAL_ENV")


@dataclass(frozen=True)
class Guest:
    """What runs in which machine: its root, its modules, its Python and its checks."""

    board: Board
    root: Path
    writable: bool
    modules: tuple[str, ...]
    python: str
    environment: Mapping[str, str]
    checks: tuple[str, ...]


def main() -> int:
    """Exit code of the tests in the guest; 2 when there can be no guest."""
    parser = Parser(prog="make test-v4l2", description=__doc__)
    parser.add_argument("--cache", type=Path, default=PROJECT / "build" / "v4l2")
    parser.add_argument("--limit", type=float, default=3600.0, help="seconds; default: 3600")
    parser.add_argument("--memory", type=int, default=2048, help="MiB; default: 2048")
    parser.add_argument("--kvm", action="store_true", help="faster, where /dev/kvm really works")
    parser.add_argument("--pi", type=Path, metavar="ROOT", help="of packages/pi_root.sh")
    parser.add_argument("pytest", nargs="*", help="passed on, e.g. -k unplug (behind --)")
    options = parser.parse_args()
    unwind_on_sigterm()
    guest = _pc() if options.pi is None else _pi(options.pi.resolve())
    begin = time.monotonic()

    def body() -> int:
        kernel = fetch_kernel(options.cache.resolve(), guest.board.architecture, guest.modules)
        with tempfile.TemporaryDirectory(prefix="roadmask-v4l2-") as name:
            work = Path(name)
            write_frames(work / "frames")
            shutil.copytree(HERE, work / "tests" / "v4l2")
            shutil.copy(kernel.webcam_driver, work)
            (work / "guest.sh").write_text(_script(guest, kernel.webcam_driver, options.pytest))
            machine = Machine(
                guest.board,
                kernel,
                guest.root,
                work,
                writable=guest.writable,
                memory_mib=options.memory,
                kvm=options.kvm,
            )
            code = machine.run(options.limit)
        print(f"v4l2: {time.monotonic() - begin:.0f} s")
        return code

    return run_command(body, verbose=False)


def _pc() -> Guest:
    """This machine's interpreter, libraries and project, on its own architecture."""
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    path = os.pathsep.join(part for part in (str(PROJECT), kept.get("PYTHONPATH", "")) if part)
    checks = ("check_capture.py", "check_daemon.py")
    modules = (*VIVID, *WEBCAM)
    environment = kept | {"PYTHONPATH": path}
    return Guest(PC, Path("/"), False, modules, sys.executable, environment, checks)


def _pi(root: Path) -> Guest:
    """The installed arm64 package."""
    environment = {
        "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
        "LC_ALL": "C.UTF-8",
        "PYTHONPATH": "/usr/lib/roadmask:/pytest",
    }
    return Guest(PI, root, True, WEBCAM, "/usr/bin/python3", environment, ("check_pi.py",))


def _script(guest: Guest, driver: Path, arguments: list[str]) -> str:
    environment = {
        **guest.environment,
        "HOME": "/run",
        "TMPDIR": "/run/tmp",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        "ROADMASK_WEBCAM_FRAMES": f"{WORK}/frames",
        "ROADMASK_WEBCAM_DRIVER": f"{WORK}/{driver.name}",
    }
    exports = [f"export {name}={shlex.quote(value)}" for name, value in environment.items()]
    pytest = [guest.python, "-m", "pytest", "-p", "no:cacheprovider", "-v", "-rP", "--color=no"]
    pytest += ["-c", "/dev/null", "--rootdir", WORK]
    pytest += [f"{WORK}/tests/v4l2/{check}" for check in guest.checks]
    return "\n".join([*exports, f"cd {WORK}", shlex.join([*pytest, *arguments]), CLOSING, ""])


if __name__ == "__main__":
    sys.exit(main())
