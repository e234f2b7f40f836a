"""``make test-v4l2``: the camera tests on real V4L2 drivers, in a virtual machine.

Boots Debian's kernel under QEMU with this machine's files as its root, read-only, and runs
``check_*.py`` in it: ``uvcvideo`` with an emulated USB webcam, and ``vivid``. Needs QEMU, kmod and
busybox (apt install qemu-system-x86 kmod busybox-static) and no camera, no network in the guest
and, where /dev/kvm is missing, patience.
"""

from __future__ import annotations

import argparse
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from frames import write_frames
from initramfs import write_initramfs
from kernel import RigError, fetch_kernel

from roadmask.system.command_line import run_command

HERE = Path(__file__).resolve().parent
PROJECT = HERE.parents[1]
_DONE = re.compile(r"^roadmask-v4l2-exit (\d+)", re.MULTILINE)
# What the guest is told of this machine's environment.
_KEPT = ("PATH", "LANG", "PYTHONPATH", "VIRTUAL_ENV")


def main() -> int:
    """Exit code of the tests in the guest; 2 when there can be no guest."""
    parser = argparse.ArgumentParser(prog="make test-v4l2", description=__doc__)
    parser.add_argument("--cache", type=Path, default=PROJECT / "build" / "v4l2")
    parser.add_argument("--limit", type=float, default=1200.0, help="seconds; default: 1200")
    parser.add_argument("--memory", type=int, default=2048, help="MiB; default: 2048")
    parser.add_argument("--kvm", action="store_true", help="faster, where /dev/kvm really works")
    parser.add_argument("pytest", nargs="*", help="passed on, e.g. -k unplug (behind --)")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # cleaned up after, as for Ctrl-C
    begin = time.monotonic()

    def body() -> int:
        with tempfile.TemporaryDirectory(prefix="roadmask-v4l2-") as folder:
            code = _boot(options, Path(folder))
        print(f"v4l2: {time.monotonic() - begin:.0f} s")
        return code

    return run_command(body, verbose=False)


def _boot(options: argparse.Namespace, folder: Path) -> int:
    qemu = shutil.which("qemu-system-x86_64")
    if qemu is None:
        raise RigError("QEMU is missing: apt install qemu-system-x86")
    kernel = fetch_kernel(options.cache.resolve())
    script, archive = folder / "guest.sh", folder / "initramfs.gz"
    write_frames(folder / "frames")
    script.write_text(_guest_script(folder / "frames", kernel.webcam_driver, options.pytest))
    write_initramfs(archive, kernel, script)
    # Not chosen by itself: in a nested machine /dev/kvm may be there and hang.
    kvm = options.kvm
    print(f"v4l2: booting {kernel.image.name}, {'KVM' if kvm else 'emulated'}", flush=True)
    command = [
        qemu,
        *("-nodefaults", "-no-user-config", "-display", "none", "-monitor", "none"),
        *("-serial", "stdio", "-no-reboot", "-nic", "none", "-M", "q35", "-smp", "2"),
        *("-accel", "kvm" if kvm else "tcg,thread=multi"),
        *("-cpu", "host,arch-capabilities=off" if kvm else "max", "-m", str(options.memory)),
        *("-kernel", str(kernel.image), "-initrd", str(archive)),
        # On a busy host an emulated timer is late, which the kernel would take for a broken one.
        *("-append", "console=ttyS0 quiet panic=-1 mitigations=off no_timer_check"),
        # Several file systems of the host in one: their inode numbers have to be told apart.
        "-virtfs",
        "local,path=/,mount_tag=host,security_model=none,readonly=on,multidevs=remap",
    ]
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, errors="replace"
    ) as machine:
        overdue = threading.Timer(options.limit, machine.kill)
        overdue.start()
        try:
            return _follow(machine, options.limit)
        finally:
            overdue.cancel()
            machine.kill()


def _follow(machine: subprocess.Popen[str], limit_s: float) -> int:
    """Show what the guest says, until it tells the tests' exit code."""
    assert machine.stdout is not None
    begin = time.monotonic()
    code: int | None = None
    for line in machine.stdout:
        found = _DONE.match(line)
        if found:
            code = int(found[1])
        else:
            print(line.rstrip("\r\n"), flush=True)
    if code is None:
        if time.monotonic() - begin >= limit_s:
            raise RigError(f"the tests took more than {limit_s:.0f} s: see --limit")
        raise RigError("the guest ended without a result: see above")
    return code


def _guest_script(frames: Path, driver: Path, arguments: list[str]) -> str:
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    kept |= {"HOME": "/run", "TMPDIR": "/run/tmp", "PYTHONDONTWRITEBYTECODE": "1"}
    kept |= {"ROADMASK_WEBCAM_FRAMES": str(frames), "ROADMASK_WEBCAM_DRIVER": str(driver)}
    kept |= {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    kept["PYTHONPATH"] = os.pathsep.join(
        part for part in (str(PROJECT), kept.get("PYTHONPATH", "")) if part
    )
    exports = "\n".join(f"export {name}={shlex.quote(value)}" for name, value in kept.items())
    pytest = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-v", "-rP", "--color=no"]
    pytest += [
        "-o",
        "python_files=check_*.py",
        "-o",
        "addopts=",
        "--rootdir",
        str(PROJECT),
        str(HERE),
        *arguments,
    ]
    return f"{exports}\ncd {PROJECT}\n{shlex.join(pytest)}\necho roadmask-v4l2-exit $?\n"


if __name__ == "__main__":
    sys.exit(main())
