"""The virtual machine: what QEMU is told for either architecture, and what its guest says."""

from __future__ import annotations

import re
import shutil
import subprocess
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from initramfs import write_initramfs
from kernel import Kernel, RigError

_DONE = re.compile(r"^roadmask-v4l2-exit (\d+)", re.MULTILINE)
CLOSING = "echo roadmask-v4l2-exit $?"  # the last line of a guest's script


@dataclass(frozen=True)
class Board:
    """An architecture as Debian names it, and the machine that stands for it.

    Attributes:
        system: what ``qemu-system-`` and the package that brings it end with.
        machine: QEMU's own name of the board.
        processor: of the emulation; KVM takes the host's.
        console: the first serial port, as Linux names it.
    """

    architecture: str
    system: tuple[str, str]
    machine: str
    processor: str
    console: str


PC = Board("amd64", ("x86_64", "x86"), "q35", "max", "ttyS0")
PI = Board("arm64", ("aarch64", "arm"), "virt", "cortex-a72", "ttyAMA0")  # a Pi 4's core


@dataclass(frozen=True)
class Machine:
    """One that boots ``kernel``, with a folder of the host as its root, read-only.

    Attributes:
        writable: what the guest writes into its root is kept in its memory.
        work: a further folder, which the guest has at ``/run/guest``; its ``guest.sh`` is run.
        kvm: never chosen by itself: in a nested machine /dev/kvm may be there and hang.
    """

    board: Board
    kernel: Kernel
    root: Path
    work: Path
    writable: bool
    memory_mib: int
    kvm: bool

    def run(self, limit_s: float) -> int:
        """Boot it, show what it says, and return the exit code of its script.

        Raises:
            RigError: no QEMU, no result, or none in time.
        """
        command = self._command()
        print(
            f"v4l2: booting {self.kernel.image.name}, {'KVM' if self.kvm else 'emulated'}",
            flush=True,
        )
        with subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, errors="replace"
        ) as machine:
            overdue = threading.Timer(limit_s, machine.kill)
            overdue.start()
            try:
                return _follow(machine, limit_s)
            finally:
                overdue.cancel()
                machine.kill()

    def _command(self) -> list[str]:
        name, package = self.board.system
        qemu = shutil.which(f"qemu-system-{name}")
        if qemu is None:
            raise RigError(f"QEMU is missing: apt install qemu-system-{package}")
        archive = self.work / "initramfs.gz"
        write_initramfs(archive, self.kernel, self.root, writable=self.writable)
        # On a busy host an emulated timer is late, which the kernel would take for a broken one.
        line = f"console={self.board.console} quiet panic=-1 mitigations=off no_timer_check"
        return [
            qemu,
            *("-nodefaults", "-no-user-config", "-display", "none", "-monitor", "none"),
            *("-serial", "stdio", "-no-reboot", "-nic", "none"),
            *("-M", self.board.machine, "-smp", "2", "-m", str(self.memory_mib)),
            *("-accel", "kvm" if self.kvm else "tcg,thread=multi"),
            *("-cpu", "host,arch-capabilities=off" if self.kvm else self.board.processor),
            *("-kernel", str(self.kernel.image), "-initrd", str(archive), "-append", line),
            *("-virtfs", _shared(self.root, "host"), "-virtfs", _shared(self.work, "work")),
        ]


def _shared(folder: Path, tag: str) -> str:
    # Several file systems of the host in one: their inode numbers have to be told apart.
    how = "security_model=none,readonly=on,multidevs=remap"
    return f"local,path={folder},mount_tag={tag},{how}"


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
